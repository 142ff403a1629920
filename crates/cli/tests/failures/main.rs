//! The product as a process, under what breaks processes: kills, full disks, failing syncs,
//! damaged files, restored backups.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod bodies;
mod disk;
mod epochs;
mod faults;
mod ingest;
mod kill;
mod support;
mod tamper;
mod unusable;
