//! What needs a disk with faults or a clock of its own.

mod faulty;
mod late;
mod streams;
