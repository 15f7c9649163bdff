//! What a run is measured by.

use std::collections::BTreeMap;
use std::time::Duration;

use super::support::service::Service;

/// One chain, one run.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) fills: usize,
    /// From the first fill offered to the last acknowledgement.
    pub(super) took: Duration,
    /// User and system, of the chain's process alone.
    pub(super) cpu: Duration,
    /// Resident, at most.
    pub(super) peak_kib: u64,
    /// Socket to acknowledgement, in words.
    pub(super) delays: String,
    /// Where its CPU went, in words.
    pub(super) busiest: String,
}

impl Run {
    /// Of a unique fill.
    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.fills as f64
    }

    pub(super) fn tell(&self) {
        println!(
            "{:<22} {:>8.0} signals/s, {:>5.2} us CPU a fill, {:>4} MiB; socket to ack {}",
            self.name,
            self.fills as f64 / self.took.as_secs_f64(),
            self.cpu_us(),
            self.peak_kib / 1_024,
            self.delays,
        );
        if !self.busiest.is_empty() {
            println!("    by thread, us a fill: {}", self.busiest);
        }
    }
}

/// User and system time of a process, all its threads, those that ended too; to 10 ms.
pub(super) fn cpu(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // Behind the name, which may hold anything: state is the first, utime and stime are the 12th and 13th.
    let (_, rest) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Of each thread that runs, by name: how long it ran. Threads of one name count together.
pub(super) fn threads(process: u32) -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    for task in tasks.filter_map(Result::ok) {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        let (Some(name), Some(ran)) = (read("comm"), read("schedstat")) else { continue }; // it ended meanwhile
        let ns = ran.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        *threads.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(ns);
    }
    threads
}

/// Threads by what they took since `before`, the busiest first.
pub(super) fn busiest(
    now: &BTreeMap<String, Duration>,
    before: &BTreeMap<String, Duration>,
    fills: usize,
) -> String {
    let since = |name: &str, ran: Duration| ran.saturating_sub(before.get(name).copied().unwrap_or_default());
    let mut took: Vec<(Duration, &str)> =
        now.iter().map(|(name, ran)| (since(name, *ran), name.as_str())).collect();
    took.sort_unstable_by(|a, b| b.cmp(a));
    let told =
        |(ran, name): &(Duration, &str)| format!("{name} {:.2}", ran.as_secs_f64() * 1e6 / fills as f64);
    took.iter().take(8).map(told).collect::<Vec<_>>().join(", ")
}

pub(super) fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a figure in kB")
}

/// The service's own histogram: upper bounds in seconds, and how many delays are in each bucket.
pub(super) struct Delays(Vec<(f64, usize)>);

impl Delays {
    pub(super) fn read(service: &Service) -> Self {
        let name = "ingestion_kafka_socket_to_ack_seconds_bucket{stream=\"signals\",le=\"";
        let page = service.get("/metrics").1;
        let lines = page.lines().filter_map(|line| line.strip_prefix(name)?.split_once("\"} "));
        let mut below = 0;
        let bucket = |(bound, count): (&str, &str)| {
            let count: usize = count.parse().expect("a count");
            let here = count - std::mem::replace(&mut below, count);
            (bound.parse().expect("a bound"), here)
        };
        Self(lines.map(bucket).collect())
    }

    /// Without those of before.
    pub(super) fn since(mut self, before: &Self) -> Self {
        self.0.iter_mut().zip(&before.0).for_each(|(here, before)| here.1 -= before.1);
        self
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Percentiles, each as the bucket it is in.
    pub(super) fn told(&self) -> String {
        let at = |part: f64| {
            let (wanted, mut below, mut seen) = ((self.count() as f64 * part).ceil() as usize, 0.0, 0);
            for (bound, count) in &self.0 {
                seen += count;
                if seen >= wanted {
                    return format!("{} to {} ms", below * 1e3, bound * 1e3);
                }
                below = *bound;
            }
            String::new()
        };
        format!("p50 {}, p99 {}, p99.9 {}", at(0.5), at(0.99), at(0.999))
    }
}
