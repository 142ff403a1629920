//! Where values come from, the later above the earlier.

use super::sections::Config;
use super::{check, explain};
use crate::failure::{Failure, Outcome};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::path::{Path, PathBuf};

/// Read if it exists and `--config` names no other.
const DEFAULT_FILE: &str = "audit-layer.toml";
/// Every key: `AUDIT_LAYER__SECTION__KEY`.
const PREFIX: &str = "AUDIT_LAYER__";
/// Other names of keys, the later above the earlier.
const ALIASES: [(&str, &str); 2] = [
    ("MAX_PREVIEW_CHARS", "capture.preview_chars"),
    ("AUDIT_BODY_PREVIEW", "capture.preview_chars"),
];

/// What flags say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--gateway-listen`
    pub gateway_listen: Option<String>,
    /// `--api-listen`
    pub api_listen: Option<String>,
    /// `--upstream`
    pub upstream: Option<String>,
}

/// One value: where it comes from, its dotted key.
struct Layer {
    name: String,
    key: String,
    value: Value,
}

/// Loads and checks the configuration.
pub fn load(flags: &Flags, vars: &[(String, String)]) -> Outcome<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(path) = file(flags)? {
        let text =
            std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
        figment = figment.merge(NamedToml { path: path.display().to_string(), text });
    }
    for layer in env_layers(vars)? {
        figment = figment.merge(layer);
    }
    for layer in flag_layers(flags) {
        figment = figment.merge(layer);
    }
    let config: Config =
        figment.extract().map_err(|error| Failure::usage(explain::line(&error)))?;
    check::all(&config).map_err(Failure::usage)?;
    Ok(config)
}

fn file(flags: &Flags) -> Outcome<Option<PathBuf>> {
    if let Some(path) = &flags.config {
        if !path.is_file() {
            let path = path.display();
            return Err(Failure::usage(format!(
                "--config: there is no file {path}; correct the path"
            )));
        }
        return Ok(Some(path.clone()));
    }
    let path = Path::new(DEFAULT_FILE);
    Ok(path.is_file().then(|| path.to_owned()))
}

fn env_layers(vars: &[(String, String)]) -> Outcome<Vec<Layer>> {
    let mut layers = Vec::new();
    for (alias, key) in ALIASES {
        if let Some((_, value)) = vars.iter().find(|(name, _)| name == alias) {
            layers.push(Layer::one(format!("environment variable {alias}"), key, env_value(value)));
        }
    }
    for (name, value) in vars {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let key = rest.to_ascii_lowercase().replace("__", ".");
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(Failure::usage(format!(
                "the environment variable {name} names no key; use {PREFIX}SECTION__KEY, as {PREFIX}GATEWAY__LISTEN"
            )));
        }
        layers.push(Layer::one(format!("environment variable {name}"), &key, env_value(value)));
    }
    Ok(layers)
}

/// Numbers, booleans, lists and tables are read as in TOML; anything else is text.
fn env_value(text: &str) -> Value {
    let Ok(value) = text.parse::<Value>();
    value
}

fn flag_layers(flags: &Flags) -> Vec<Layer> {
    let data = flags.data.as_ref().map(|path| path.display().to_string());
    let all = [
        ("--data", "data", data.as_ref()),
        ("--gateway-listen", "gateway.listen", flags.gateway_listen.as_ref()),
        ("--api-listen", "api.listen", flags.api_listen.as_ref()),
        ("--upstream", "gateway.upstream", flags.upstream.as_ref()),
    ];
    let given = all.into_iter().filter_map(|(flag, key, value)| {
        Some(Layer::one(flag.to_owned(), key, Value::from(value?.as_str())))
    });
    given.collect()
}

// === impl Layer ===

impl Layer {
    fn one(name: String, key: &str, value: Value) -> Self {
        Self { name, key: key.to_owned(), value }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone()).into_dict();
        Ok(Profile::Default.collect(nested.unwrap_or_default()))
    }
}

/// A TOML file whose errors name it.
struct NamedToml {
    path: String,
    text: String,
}

impl Provider for NamedToml {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.path.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Toml::string(&self.text).data()
    }
}
