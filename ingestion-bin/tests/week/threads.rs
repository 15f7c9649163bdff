//! What a process' threads took of the CPU: who bounds the rate.

use std::collections::BTreeMap;

/// Clock ticks a second, as every Linux has them for user space.
const TICKS: f64 = 100.0;

/// Seconds by the threads' names, those of at least one.
pub(crate) fn seconds(process: u32) -> BTreeMap<String, f64> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let mut all = BTreeMap::new();
    for task in tasks.filter_map(Result::ok) {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else {
            continue;
        };
        // utime and stime are the 14th and 15th field, the name is the 2nd.
        let ticks: f64 =
            rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
        *all.entry(name.to_owned()).or_default() += ticks / TICKS;
    }
    all.retain(|_, seconds| *seconds >= 1.0);
    all
}
