# Holds one server for the process at the other end of our standard input, and takes orders from there, one a line; each is answered by
# one line. When that process ends, however it ends, the input ends: the server is killed and its folder deleted.
# Arguments: the folder, then the server's command.
trap '' PIPE HUP
folder=$1
shift
server=
lives() {
    jobs >/dev/null 2>&1 # takes note of children that ended: their number may be given to a stranger
    [ -n "$server" ] && kill -0 "$server" 2>/dev/null
}
while read -r order; do
    if [ "$order" = START ]; then
        cd "$folder" || exit
        "$@" </dev/null >>log 2>&1 &
        server=$!
        echo "$server"
    elif lives; then
        [ "$order" = ALIVE ] || kill -s "$order" "$server"
        [ "$order" != KILL ] || wait "$server"
        echo yes
    else
        server=
        echo no
    fi
done
if lives; then
    kill -s KILL "$server"
    wait "$server"
fi
cd /
rm -rf -- "$folder"
