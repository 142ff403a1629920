//! Writes the generated part of the document that is given: `make docs`.
#![expect(clippy::disallowed_methods, reason = "a program of its own")]

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which document? (LOGGING.md)")?;
    let document = std::fs::read_to_string(&path)?;
    std::fs::write(&path, testkit::update_logging_md(&document)?)?;
    Ok(())
}
