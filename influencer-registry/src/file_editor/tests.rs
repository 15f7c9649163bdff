//! Edits of a list file: what they leave alone, what they refuse, and several at once.

use tempfile::TempDir;

use super::*;
use crate::test_entries::address;

const HAND_WRITTEN: &str = r#"# our whales
[[influencer]]
id = "a" # the first
address = "0x0000000000000000000000000000000000000001"
max_streams = 2  # per listener
future = { x = 1 }

# the second
[[influencer]]
address = "0x0000000000000000000000000000000000000002"
"#;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("influencers.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn an_edit_leaves_everything_else_as_it_was() {
    let (_folder, path) = file(HAND_WRITTEN);
    let mut editor = FileEditor::open(&path).unwrap();
    editor.set("a", &["maxStreams=3", "backoff.max_ms=5000", "label=Big = one"]).unwrap();
    editor.set(&address(2), &["markets=ETH-PERP, @107"]).unwrap();
    editor.save().unwrap();
    let expected = HAND_WRITTEN
        .replace("max_streams = 2  #", "max_streams = 3  #")
        .replace("x = 1 }\n", "x = 1 }\nbackoff = { maxMs = 5000 }\nlabel = \"Big = one\"\n")
        + "markets = [\"ETH-PERP\", \"@107\"]\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let before = editor.document.to_string();
    editor.set(&address(2), &[r#"markets=["ETH-PERP", "@107"]"#]).unwrap();
    assert_eq!(editor.document.to_string(), before, "as the file writes it");
    for bad in ["markets=[ETH-PERP]", "markets=[1]", "markets=[\"ETH-PERP\""] {
        assert!(matches!(editor.set("a", &[bad]), Err(EditError::Assignments(_))), "{bad}");
    }
    editor.set("a", &["backoff.maxMs=", "label=", "max_streams=2"]).unwrap();
    editor.set(&address(2), &["markets="]).unwrap();
    editor.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), HAND_WRITTEN);
}

#[test]
fn a_list_is_built_and_emptied_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    let mut editor = FileEditor::open(&path).unwrap();
    editor.add("a", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 1_790_000_000_000).unwrap();
    editor.save().unwrap();
    let mut editor = FileEditor::open(&path).unwrap();
    let (set, refused) = editor.list().unwrap();
    assert_eq!((set.get("a").unwrap().added_at_ms(), refused.len()), (Some(1_790_000_000_000), 0));
    assert!(matches!(editor.confirm_empty(), Err(EditError::NotEmpty(1))));
    assert_eq!(editor.remove("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED").unwrap(), 0);
    editor.confirm_empty().unwrap();
    editor.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().trim(), "confirmEmpty = true");
    editor.add("b", &address(2), 0).unwrap();
    editor.save().unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("confirmEmpty"), "the guard is back");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn an_edit_that_would_break_the_list_changes_nothing() {
    let (_folder, path) = file(HAND_WRITTEN);
    let mut editor = FileEditor::open(&path).unwrap();
    let refused = [
        editor.add("a", &address(9), 0),
        editor.add("c", &address(2), 0),
        editor.add("c", "0x1", 0),
        editor.add("c d", &address(9), 0),
        editor.set("a", &["priority=1", "maxStreams=0"]),
        editor.set("a", &["priority=high"]),
        editor.set("a", &["prio=1"]),
        editor.set("a", &["backoff=1"]),
        editor.set("a", &["id=b"]),
        editor.set("a", &["enabled"]),
        editor.set("nobody", &["priority=1"]),
        editor.remove("nobody").map(drop),
    ];
    for (n, result) in refused.iter().enumerate() {
        assert!(result.is_err(), "edit {n} was taken");
    }
    assert!(refused[6].as_ref().unwrap_err().to_string().contains("backoff.maxMs"), "known keys are listed");
    editor.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), HAND_WRITTEN);
}

#[test]
fn a_broken_entry_can_be_mended_or_removed() {
    let text =
        HAND_WRITTEN.to_owned() + "[[influencer]]\nid = \"x\"\naddress = \"0x3\"\n[[influencer]]\nid = 5\n";
    let (_folder, path) = file(&text);
    let mut editor = FileEditor::open(&path).unwrap();
    assert_eq!(editor.list().unwrap().1.len(), 2);
    editor.set("a", &["priority=1"]).unwrap();
    assert_eq!(editor.remove("x").unwrap(), 3);
    assert_eq!(editor.list().unwrap().1.len(), 1);
}

#[test]
fn somebody_elses_change_is_not_overwritten() {
    let (_folder, path) = file(HAND_WRITTEN);
    let mut editor = FileEditor::open(&path).unwrap();
    editor.set("a", &["priority=2"]).unwrap();
    let by_hand = HAND_WRITTEN.replace("our whales", "our whales, by hand");
    fs::write(&path, &by_hand).unwrap();
    assert!(matches!(editor.save(), Err(EditError::ChangedMeanwhile { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), by_hand);
}

#[test]
fn of_editors_that_save_at_once_one_is_first_and_the_others_are_told() {
    let (_folder, path) = file("");
    std::thread::scope(|scope| {
        for number in 0..20 {
            let path = &path;
            scope.spawn(move || {
                loop {
                    let mut editor = FileEditor::open(path).unwrap();
                    editor.add(&format!("i{number}"), &address(number), 1).unwrap();
                    match editor.save() {
                        Err(EditError::ChangedMeanwhile { .. }) => {}
                        saved => return saved.unwrap(),
                    }
                }
            });
        }
    });
    assert_eq!(FileEditor::open(&path).unwrap().list().unwrap().0.len(), 20);
}

#[test]
fn all_that_are_no_settings_are_told_at_once() {
    let (_folder, path) = file(HAND_WRITTEN);
    let mut editor = FileEditor::open(&path).unwrap();
    let told = editor.set("a", &["priority=x", "label=", "foo=bar"]).unwrap_err().to_string();
    assert!(
        told.starts_with("\"priority=x\": expected a whole number; \"foo=bar\": known keys are "),
        "{told}"
    );
}

#[test]
fn what_is_no_list_is_not_edited() {
    for text in ["[[influencer", "[influencer]\nid = 'a'", "influencer = []", "influencer = [{ id = 'a' }]"] {
        let (_folder, path) = file(text);
        assert!(matches!(FileEditor::open(&path), Err(EditError::NotAList { .. })), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn permissions_and_links_survive_a_save() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = file(HAND_WRITTEN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut editor = FileEditor::open(&link).unwrap();
    editor.set("a", &["priority=1"]).unwrap();
    editor.save().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&path).unwrap().contains("priority = 1"));
}
