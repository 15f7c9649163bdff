//! The storage that fails: it does what a bad disk does, and no more.

use super::*;

fn content(storage: &FaultyStorage, name: &str) -> Vec<u8> {
    crate::storage::read_small(storage, name, 1 << 20).unwrap()
}

#[test]
fn what_was_synced_survives_a_power_loss_and_the_rest_may_not() {
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..200 {
        let disk = FaultyStorage::new(seed);
        let file = disk.create("a").unwrap();
        file.write_all_at(b"durable", 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir("").unwrap();
        file.write_all_at(b" and not", 7).unwrap();
        disk.power_loss();
        let after = content(&disk, "a");
        assert!(after.starts_with(b"durable"));
        if after.len() == 15 {
            kept += 1;
        } else {
            lost += 1;
        }
        assert!(file.read_at(&mut [0], 0).is_err(), "a dead process reads nothing");
    }
    assert!(kept > 20 && lost > 20, "{kept} {lost}");
}

#[test]
fn a_failed_sync_is_not_made_good_by_a_second_one() {
    let disk = FaultyStorage::new(3);
    let file = disk.create("a").unwrap();
    disk.sync_dir("").unwrap();
    let mut lost = 0;
    for offset in 0..50u64 {
        file.write_all_at(b"x", offset).unwrap();
        disk.fail_syncs(1, IoFault::Device);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
        file.sync_data().unwrap();
    }
    assert_eq!(content(&disk, "a"), [b'x'; 50], "readable while it is cached");
    disk.evict();
    lost +=
        content(&disk, "a").iter().filter(|byte| **byte != b'x').count() + (50 - content(&disk, "a").len());
    assert!(lost > 10, "{lost}");
}

#[test]
fn names_are_lost_until_the_directory_is_synced() {
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        let disk = FaultyStorage::new(seed);
        disk.create("a").unwrap().sync_data().unwrap();
        disk.sync_dir("").unwrap();
        disk.create("b").unwrap().sync_data().unwrap();
        disk.rename("b", "a").unwrap();
        disk.power_loss();
        seen.insert(disk.list("").unwrap());
    }
    assert_eq!(seen.len(), 2, "renamed or two files, never none: {seen:?}");
}

#[test]
fn a_full_disk_takes_what_fits_and_then_says_so() {
    let disk = FaultyStorage::new(1);
    disk.set_capacity(Some(10));
    let file = disk.create("a").unwrap();
    assert_eq!(file.write_at(&[1; 16], 0).unwrap(), 10);
    assert_eq!(file.write_at(&[1; 6], 10).unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.write_all_at(&[2; 10], 0).unwrap();
}

#[test]
fn a_lock_is_held_once_and_freed_by_death() {
    let disk = FaultyStorage::new(1);
    let held = disk.lock("lock").unwrap();
    assert_eq!(disk.lock("lock").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    disk.kill();
    let second = disk.lock("lock").unwrap();
    drop(held);
    assert!(disk.lock("lock").is_err(), "the dead holder's guard frees nothing of the living");
    drop(second);
    disk.lock("lock").unwrap();
}
