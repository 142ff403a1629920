//! The words that detectors listen to.

mod context;
mod health;
mod injection;

/// What a word means to what stands near it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// A kind of number may stand near.
    Context(Context),
    /// Someone is spoken of as a patient.
    Patient,
    /// A disease, a drug, a treatment.
    Health,
    /// A part of a sentence that tells a model to leave its instructions.
    Role(Role),
    /// A phrase that stands for such an attempt by itself.
    Injection,
    /// A phrase that stands for an attempt to lift a model's limits by itself.
    Jailbreak,
    /// A word of a deployment's own list.
    Listed(u16),
}

/// What numbers near a word are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Context {
    Phone,
    Birth,
    Passport,
    Record,
    Ssn,
    Itin,
    Nino,
    Nhs,
    DeTax,
    Nir,
    Bsn,
    Personnummer,
    BeNrn,
    Aadhaar,
    Cpf,
    Tfn,
    Medicare,
    Sin,
    Rrn,
    MyNumber,
    Tckn,
    Tnin,
    ZaId,
    Pesel,
    /// Some number of a person, of whatever country.
    Identity,
    Address,
    /// A number of a thing: an order, an invoice, a version.
    Thing,
}

/// Parts of a sentence that tells a model to leave its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    /// Do not.
    Not,
    /// Ignore, forget.
    Ignore,
    /// Show, repeat, print.
    Reveal,
    /// Previous, above, your.
    Previous,
    /// Instructions, rules.
    Instructions,
    /// System prompt, hidden instructions.
    SystemPrompt,
    /// You are now, pretend to be, act as.
    Pretend,
    /// Restrictions, filters, ethics.
    Limits,
    /// Without, no, free of.
    Without,
}

impl Context {
    pub(super) const COUNT: usize = Self::Thing as usize + 1;
}

impl Role {
    pub(super) const COUNT: usize = Self::Without as usize + 1;
}

/// All of them, in lower case.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Effect)> {
    let tables = [context::WORDS, health::WORDS, injection::WORDS];
    let groups = tables.into_iter().flatten();
    groups.flat_map(|(effect, words)| words.iter().map(|word| (*word, *effect)))
}
