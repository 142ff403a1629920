//! `users`: people who may sign in.

use super::{Format, Place};
use crate::client::{Operator, Query};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, Style, Table, plain, show_value};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::io::Read;

const PATH: &str = "/api/v1/users";
/// Bytes of a password that are read at most.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// Add, list, disable people who may sign in, and give them new passwords
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Add somebody; the password has to be changed at the first sign-in
    Add(Add),
    /// List everybody, the disabled too
    List(List),
    /// Give somebody a new password, to be changed at the next sign-in; all sessions end
    Passwd(Passwd),
    /// Disable an account at once; all its sessions end
    Disable(Named),
    /// Enable an account again
    Enable(Named),
    /// Sign somebody out everywhere, at once
    SignOut(Named),
}

#[derive(Debug, Args)]
pub struct Add {
    /// The username
    name: String,
    /// What the person may do (docs/roles.md)
    #[arg(long, value_enum)]
    role: Role,
    /// The end user (x-llm-user) whom the account stands for [default: the username]
    #[arg(long, value_name = "USER")]
    user_id: Option<String>,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Passwd {
    /// The username
    name: String,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub struct Named {
    /// The username
    name: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Args)]
struct Password {
    /// Read the password from standard input; else one is made up and printed once
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Role {
    /// Everything
    Admin,
    /// Reads everything, reviews, reports
    #[value(alias = "compliance-officer")]
    ComplianceOfficer,
    /// Reads the decisions of the user that the account stands for, redacted
    Viewer,
}

// === impl Users ===

impl Users {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open_or_create(&place.config()?)?;
        match self {
            Self::Add(command) => command.run(&operator)?,
            Self::List(command) => command.run(&operator)?,
            Self::Passwd(command) => command.run(&operator)?,
            Self::Disable(command) => command.set_disabled(true, &operator)?,
            Self::Enable(command) => command.set_disabled(false, &operator)?,
            Self::SignOut(command) => command.sign_out(&operator)?,
        }
        operator.close()
    }
}

impl Add {
    fn run(self, operator: &Operator) -> Outcome {
        let body = json!({
            "username": self.name, "role": self.role.name(), "user_id": self.user_id,
            "password": self.password.read()?,
        });
        show_password(&operator.post_json(PATH, &body)?, self.format)
    }
}

impl List {
    fn run(self, operator: &Operator) -> Outcome {
        let answer = operator.get_json(PATH)?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let headings = ["NAME", "ROLE", "STANDS FOR", "CREATED", "LAST SIGN-IN", "STATE", "ID"];
        let mut table = Table::new(&headings);
        for user in answer["items"].as_array().into_iter().flatten() {
            let cell = |name: &str| (show_value(&user[name]), None);
            let (state, style) = state_of(user);
            table.row(vec![
                cell("username"),
                cell("role"),
                cell("user_id"),
                cell("created_at"),
                cell("last_login_at"),
                (state.to_owned(), Some(style)),
                cell("id"),
            ]);
        }
        table.print(&out, true)
    }
}

impl Passwd {
    fn run(self, operator: &Operator) -> Outcome {
        let path = Query::new(PATH).segment(&self.name).segment("password");
        let body = json!({ "password": self.password.read()? });
        show_password(&operator.post_json(path.as_str(), &body)?, self.format)
    }
}

impl Named {
    fn set_disabled(self, disabled: bool, operator: &Operator) -> Outcome {
        let path = Query::new(PATH).segment(&self.name);
        let answer = operator.patch_json(path.as_str(), &json!({ "disabled": disabled }))?;
        let done = if disabled { "disabled" } else { "enabled" };
        self.say(&answer, done)
    }

    fn sign_out(self, operator: &Operator) -> Outcome {
        let path = Query::new(PATH).segment(&self.name).segment("sessions");
        let answer = operator.delete_json(path.as_str())?;
        let done = format!("ended {} sessions of", show_value(&answer["ended"]));
        self.say(&answer, &done)
    }

    fn say(&self, answer: &Value, done: &str) -> Outcome {
        let out = Out::new();
        if self.format.json {
            return out.json(answer);
        }
        out.line(format!("{done} {}", plain(&self.name)))
    }
}

// === impl Password ===

impl Password {
    fn read(self) -> Outcome<Option<String>> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        let read = std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| Failure::failed(format!("the password cannot be read: {error}")))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

// === impl Role ===

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ComplianceOfficer => "compliance_officer",
            Self::Viewer => "viewer",
        }
    }
}

fn state_of(user: &Value) -> (&'static str, Style) {
    if !user["disabled_at"].is_null() {
        ("disabled", Style::Bad)
    } else if user["must_change_password"] == Value::Bool(true) {
        ("has to change the password", Style::Notice)
    } else {
        ("may sign in", Style::Good)
    }
}

fn show_password(answer: &Value, format: Format) -> Outcome {
    let out = Out::new();
    if format.json {
        return out.json(answer);
    }
    let (name, role) = (show_value(&answer["username"]), show_value(&answer["role"]));
    let Some(password) = answer["password"].as_str() else {
        return out.line(format!("{name}, {role}: the password has to be changed at sign-in"));
    };
    if !out.is_terminal() {
        return out.line(password);
    }
    out.line(out.styled(Style::Strong, password))?;
    out.line(format!("the password of {name}, {role}, to be changed at sign-in"))?;
    out.line(out.styled(Style::Dim, "Pass it on now: it is not shown again."))
}
