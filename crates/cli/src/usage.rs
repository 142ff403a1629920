//! Wrong usage, as one line.

use crate::failure::{Failure, Outcome};
use crate::output::note;
use clap::error::ErrorKind;

/// Prints help where it was asked for; otherwise what is wrong and what to do.
pub fn explain(error: &clap::Error) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(error.print()?),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            note(error.to_string().trim_end());
            Err(Failure::silent(crate::failure::WRONG_USAGE))
        }
        _ => Err(Failure::usage(line(&error.to_string()))),
    }
}

/// The error and its tips, without the usage that `--help` shows.
fn line(text: &str) -> String {
    let said = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let said = said.collect::<Vec<_>>().join(" ");
    format!("{} (see --help)", said.strip_prefix("error: ").unwrap_or(&said))
}
