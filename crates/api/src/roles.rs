//! Who may do what: the one table of actions and roles. Every route names its action.
//!
//! `docs/roles.md` shows the same from outside, route by route, as a test found it.

use control::{Role, Scope};

/// How much of what an action is about somebody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// Nothing: refused, and the refusal is recorded.
    No,
    /// What is theirs: a person's own decisions; those of the source that a key was made for.
    Own,
    /// Everything.
    All,
}

/// Whether an action needs a credential at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// It does.
    Closed,
    /// It does not where the ledger is configured as public.
    Ledger,
    /// It does not; nothing of the audit is shown.
    Open,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// As accesses record it; also where it is refused.
    pub name: &'static str,
    pub door: Door,
    admin: Grant,
    compliance_officer: Grant,
    viewer: Grant,
    /// Keys with scope `read`.
    read_key: Grant,
    /// Keys with scope `ingest`.
    ingest_key: Grant,
}

macro_rules! actions {
    ($($action:ident $name:literal $door:ident $admin:ident $officer:ident $viewer:ident
       $read:ident $ingest:ident;)+) => {
        /// What can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action { $($action),+ }

        impl Action {
            /// Who may.
            pub(crate) const fn rule(self) -> Rule {
                match self {
                    $(Self::$action => Rule {
                        name: $name,
                        door: Door::$door,
                        admin: Grant::$admin,
                        compliance_officer: Grant::$officer,
                        viewer: Grant::$viewer,
                        read_key: Grant::$read,
                        ingest_key: Grant::$ingest,
                    },)+
                }
            }
        }
    };
}

// Keys with scope `gateway` may do nothing here. Whoever owns the data directory may do
// everything over the control socket.
actions! {
    // action     recorded as       door    admin officer viewer read key ingest key
    SignIn        "login"           Open    All   All     All    All      All;
    Refresh       "refresh"         Open    All   All     All    All      All;
    Me            "me"              Closed  Own   Own     Own    No       No;
    SignOut       "logout"          Closed  Own   Own     Own    No       No;
    SignOutAll    "logout_all"      Closed  Own   Own     Own    No       No;
    OwnPassword   "password_change" Closed  Own   Own     Own    No       No;
    OwnSessions   "own_sessions"    Closed  Own   Own     Own    No       No;
    OwnSessionEnd "own_session_end" Closed  Own   Own     Own    No       No;
    UsersList     "users_list"      Closed  All   No      No     No       No;
    UsersCreate   "users_create"    Closed  All   No      No     No       No;
    UsersChange   "users_change"    Closed  All   No      No     No       No;
    UsersPassword "users_password"  Closed  All   No      No     No       No;
    UserSessions  "user_sessions"   Closed  All   No      No     No       No;
    UserSignOut   "user_logout"     Closed  All   No      No     No       No;
    SigningKey    "signing_key"     Closed  All   No      No     No       No;
    List          "list"            Closed  All   All     Own    Own      No;
    Show          "show"            Closed  All   All     Own    Own      No;
    // Bodies as they are, and who looked at them; without it they are shown redacted, and proofs
    // have no keys.
    Reveal        "reveal"          Closed  All   All     No     No       No;
    Proof         "proof"           Closed  All   All     Own    Own      No;
    Events        "events"          Closed  All   All     Own    Own      No;
    Trace         "trace"           Closed  All   All     Own    Own      No;
    Sessions      "sessions"        Closed  All   All     Own    Own      No;
    Session       "session"         Closed  All   All     Own    Own      No;
    Metrics       "metrics"         Closed  All   All     Own    Own      No;
    Feed          "feed"            Closed  All   All     Own    Own      No;
    FeedTicket    "feed_ticket"     Closed  All   All     Own    Own      No;
    Report        "report"          Closed  No    No      No     No       All;
    Outcome       "outcome"         Closed  All   All     No     No       Own;
    Flag          "flag"            Closed  All   All     No     No       No;
    Models        "models"          Closed  All   All     Own    Own      No;
    ReviewsList   "reviews_list"    Closed  All   All     No     No       No;
    ReviewShow    "review_show"     Closed  All   All     No     No       No;
    ReviewApprove "review_approve"  Closed  All   All     No     No       No;
    ReviewReject  "review_reject"   Closed  All   All     No     No       No;
    Sql           "sql"             Closed  All   All     No     No       No;
    KeysList      "keys_list"       Closed  All   No      No     No       No;
    KeysCreate    "keys_create"     Closed  All   No      No     No       No;
    KeysRotate    "keys_rotate"     Closed  All   No      No     No       No;
    KeysRevoke    "keys_revoke"     Closed  All   No      No     No       No;
    Documentation "docs"            Open    All   All     All    All      All;
    Ledger        "ledger"          Ledger  All   All     All    All      No;
    Health        "health"          Open    All   All     All    All      All;
}

impl Action {
    /// Whether it may be done before a password that somebody else chose is changed.
    pub(crate) const fn with_any_password(self) -> bool {
        matches!(self, Self::Me | Self::OwnPassword | Self::SignOut | Self::SignOutAll)
    }
}

impl Rule {
    /// What a person with this role gets.
    pub(crate) const fn of_role(self, role: Role) -> Grant {
        match role {
            Role::Admin => self.admin,
            Role::ComplianceOfficer => self.compliance_officer,
            Role::Viewer => self.viewer,
        }
    }

    /// What a key with this scope gets.
    pub(crate) const fn of_scope(self, scope: Scope) -> Grant {
        match scope {
            Scope::Gateway => Grant::No,
            Scope::Ingest => self.ingest_key,
            Scope::Read => self.read_key,
        }
    }

    /// What a key with these scopes gets: the most that one of them grants.
    pub(crate) fn of_scopes(self, scopes: &[Scope]) -> Grant {
        scopes.iter().map(|scope| self.of_scope(*scope)).max().unwrap_or(Grant::No)
    }

    /// Everybody who gets something, with how much.
    pub(crate) fn granted(self) -> impl Iterator<Item = (&'static str, Grant)> {
        [
            ("admin", self.admin),
            ("compliance_officer", self.compliance_officer),
            ("viewer", self.viewer),
            ("read_key", self.read_key),
            ("ingest_key", self.ingest_key),
        ]
        .into_iter()
        .filter(|(_, grant)| *grant != Grant::No)
    }

    /// Who may, for people who read the OpenAPI document.
    pub(crate) fn about(self) -> String {
        let credential = match self.door {
            Door::Open => return "No credential is needed.".to_owned(),
            Door::Ledger => "Needs no credential where the ledger is configured as public. ",
            Door::Closed => "",
        };
        let who: Vec<String> = self
            .granted()
            .map(|(who, grant)| match grant {
                Grant::Own => format!("{who} (own data)"),
                _ => who.to_owned(),
            })
            .collect();
        format!("{credential}For: {}.", who.join(", "))
    }
}

impl Grant {
    /// The name in the OpenAPI document.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Own => "own",
            Self::All => "all",
        }
    }
}
