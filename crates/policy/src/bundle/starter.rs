//! The bundle that ships with the program.

use super::sources::Source;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../policies/", $name)))),+]
    };
}

/// The files of the starter bundle: policies, and their test cases.
pub fn starter() -> Vec<Source> {
    let files = files![
        "health-data.cedar",
        "health-data.test.toml",
        "injection.cedar",
        "injection.test.toml",
        "models.cedar",
        "models.test.toml",
        "office-hours.cedar",
        "office-hours.test.toml",
        "personal-data.cedar",
        "personal-data.test.toml",
        "secrets.cedar",
        "secrets.test.toml",
        "tokens.cedar",
        "tokens.test.toml",
    ];
    let source =
        |(name, text): (&str, &str)| Source { name: name.to_owned(), text: text.to_owned() };
    files.map(source).into()
}
