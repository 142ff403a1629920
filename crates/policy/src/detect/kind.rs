//! Kinds of findings, and the classes of data that they belong to.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest name of a kind.
pub(crate) const NAME_BYTES_MAX: usize = 30;

/// What a finding is about, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataClass {
    /// Personal data.
    Pii,
    /// Health data of a person.
    Phi,
    /// Keys, tokens, passwords.
    Secret,
    /// Attempts to make a model leave its instructions.
    Injection,
}

/// What a finding is: a built-in kind, or one that a deployment adds. Small, and names itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    name: [u8; NAME_BYTES_MAX],
    bytes: u8,
    class: DataClass,
}

/// The built-in kinds. In the order of precedence, where two are as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Builtin {
    Secret,
    UrlCredentials,
    Email,
    CreditCard,
    Iban,
    UsSsn,
    UsItin,
    UsMbi,
    UkNino,
    UkNhs,
    DeTaxId,
    FrNir,
    ItFiscalCode,
    EsDni,
    EsNie,
    PlPesel,
    NlBsn,
    SePersonnummer,
    FiHetu,
    BeNrn,
    ChAhv,
    InAadhaar,
    InPan,
    BrCpf,
    CnResidentId,
    AuTfn,
    AuMedicare,
    CaSin,
    KrRrn,
    JpMyNumber,
    SgNric,
    MxCurp,
    TrTckn,
    ThTnin,
    ZaId,
    Passport,
    MedicalRecord,
    DateOfBirth,
    IpAddress,
    MacAddress,
    Phone,
    HealthTerm,
    PromptInjection,
    Jailbreak,
}

// === impl DataClass ===

impl DataClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pii, Self::Phi, Self::Secret, Self::Injection];

    /// Its name in records and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pii => "pii",
            Self::Phi => "phi",
            Self::Secret => "secret",
            Self::Injection => "injection",
        }
    }
}

// === impl Kind ===

impl Kind {
    /// A kind by its name: 1 to 30 of `a-z`, `0-9` and `_`, a letter first.
    pub fn new(name: &str, class: DataClass) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let first = name.bytes().next()?;
        if name.len() > NAME_BYTES_MAX || !first.is_ascii_lowercase() || !name.bytes().all(plain) {
            return None;
        }
        Some(Self::make(name, class))
    }

    const fn make(name: &str, class: DataClass) -> Self {
        let from = name.as_bytes();
        let mut bytes = [0; NAME_BYTES_MAX];
        let mut at = 0;
        while at < from.len() && at < NAME_BYTES_MAX {
            bytes[at] = from[at];
            at += 1;
        }
        Self { name: bytes, bytes: at as u8, class }
    }

    /// Its name: `email`, `us_ssn`, …
    pub fn as_str(&self) -> &str {
        let name = self.name.get(..usize::from(self.bytes)).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The class of data that it is of.
    pub const fn class(&self) -> DataClass {
        self.class
    }

    /// The name that stands in placeholders: `EMAIL`.
    pub fn token_name(&self) -> String {
        self.as_str().to_ascii_uppercase()
    }

    /// The built-in kind of that name.
    pub fn builtin(name: &str) -> Option<Self> {
        Builtin::ALL.iter().find(|kind| kind.name() == name).map(|kind| kind.kind())
    }

    /// All built-in kinds.
    pub fn builtins() -> impl Iterator<Item = Self> {
        Builtin::ALL.iter().map(|kind| kind.kind())
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.as_str())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Builtin ===

impl Builtin {
    pub(crate) const ALL: [Self; 44] = [
        Self::Secret,
        Self::UrlCredentials,
        Self::Email,
        Self::CreditCard,
        Self::Iban,
        Self::UsSsn,
        Self::UsItin,
        Self::UsMbi,
        Self::UkNino,
        Self::UkNhs,
        Self::DeTaxId,
        Self::FrNir,
        Self::ItFiscalCode,
        Self::EsDni,
        Self::EsNie,
        Self::PlPesel,
        Self::NlBsn,
        Self::SePersonnummer,
        Self::FiHetu,
        Self::BeNrn,
        Self::ChAhv,
        Self::InAadhaar,
        Self::InPan,
        Self::BrCpf,
        Self::CnResidentId,
        Self::AuTfn,
        Self::AuMedicare,
        Self::CaSin,
        Self::KrRrn,
        Self::JpMyNumber,
        Self::SgNric,
        Self::MxCurp,
        Self::TrTckn,
        Self::ThTnin,
        Self::ZaId,
        Self::Passport,
        Self::MedicalRecord,
        Self::DateOfBirth,
        Self::IpAddress,
        Self::MacAddress,
        Self::Phone,
        Self::HealthTerm,
        Self::PromptInjection,
        Self::Jailbreak,
    ];

    /// Its bit in a set of kinds.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u64
    }

    pub(crate) const fn kind(self) -> Kind {
        Kind::make(self.name(), self.class())
    }

    pub(crate) const fn class(self) -> DataClass {
        match self {
            Self::Secret | Self::UrlCredentials => DataClass::Secret,
            Self::MedicalRecord | Self::HealthTerm | Self::UsMbi | Self::UkNhs => DataClass::Phi,
            Self::PromptInjection | Self::Jailbreak => DataClass::Injection,
            _ => DataClass::Pii,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::UrlCredentials => "url_credentials",
            Self::Email => "email",
            Self::CreditCard => "credit_card",
            Self::Iban => "iban",
            Self::UsSsn => "us_ssn",
            Self::UsItin => "us_itin",
            Self::UsMbi => "us_mbi",
            Self::UkNino => "uk_nino",
            Self::UkNhs => "uk_nhs",
            Self::DeTaxId => "de_tax_id",
            Self::FrNir => "fr_nir",
            Self::ItFiscalCode => "it_fiscal_code",
            Self::EsDni => "es_dni",
            Self::EsNie => "es_nie",
            Self::PlPesel => "pl_pesel",
            Self::NlBsn => "nl_bsn",
            Self::SePersonnummer => "se_personnummer",
            Self::FiHetu => "fi_hetu",
            Self::BeNrn => "be_nrn",
            Self::ChAhv => "ch_ahv",
            Self::InAadhaar => "in_aadhaar",
            Self::InPan => "in_pan",
            Self::BrCpf => "br_cpf",
            Self::CnResidentId => "cn_resident_id",
            Self::AuTfn => "au_tfn",
            Self::AuMedicare => "au_medicare",
            Self::CaSin => "ca_sin",
            Self::KrRrn => "kr_rrn",
            Self::JpMyNumber => "jp_my_number",
            Self::SgNric => "sg_nric",
            Self::MxCurp => "mx_curp",
            Self::TrTckn => "tr_tckn",
            Self::ThTnin => "th_tnin",
            Self::ZaId => "za_id",
            Self::Passport => "passport",
            Self::MedicalRecord => "medical_record",
            Self::DateOfBirth => "date_of_birth",
            Self::IpAddress => "ip_address",
            Self::MacAddress => "mac_address",
            Self::Phone => "phone",
            Self::HealthTerm => "health_term",
            Self::PromptInjection => "prompt_injection",
            Self::Jailbreak => "jailbreak",
        }
    }
}
