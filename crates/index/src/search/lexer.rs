//! A search cut into pieces, each with its place.

use super::model::{Op, SearchError};

/// A piece.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Open,
    Close,
    Or,
    And,
    /// `-` or `NOT`.
    Not,
    /// `name:`, directly before a value.
    Field(String),
    /// Before a value: `>`, `>=`, `<`, `<=`, `=`.
    Op(Op),
    Word(String),
    Quoted(String),
}

/// A piece and the number of characters before it.
#[derive(Debug, Clone)]
pub struct Placed {
    pub token: Token,
    pub at: usize,
}

/// Longest name that is taken for a field.
const NAME_CHARS_MAX: usize = 32;

struct Lexer {
    text: Vec<char>,
    at: usize,
    /// Whether the next piece is the value of a field.
    valued: bool,
    /// Open brackets, and whether each is that of a field: values there take comparisons, too.
    brackets: Vec<bool>,
    found: Vec<Placed>,
}

/// Cuts a search into pieces.
pub fn tokens(text: &str) -> Result<Vec<Placed>, SearchError> {
    let mut lexer = Lexer {
        text: text.chars().collect(),
        at: 0,
        valued: false,
        brackets: Vec::new(),
        found: Vec::new(),
    };
    while lexer.next()? {}
    Ok(lexer.found)
}

/// Whether a character ends a word.
pub fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"')
}

// === impl Lexer ===

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn push(&mut self, token: Token, at: usize) {
        self.valued = matches!(token, Token::Field(_) | Token::Op(_));
        self.found.push(Placed { token, at });
    }

    /// Takes one piece; false at the end.
    fn next(&mut self) -> Result<bool, SearchError> {
        if self.valued && self.peek().is_none_or(char::is_whitespace) {
            let message = "a value is missing here; write it directly behind the colon".to_owned();
            return Err(SearchError { at: self.at, message });
        }
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let at = self.at;
        let Some(character) = self.peek() else { return Ok(false) };
        match character {
            '(' | ')' => {
                self.at += 1;
                if character == '(' {
                    self.brackets.push(self.valued);
                    self.push(Token::Open, at);
                } else {
                    self.brackets.pop();
                    self.push(Token::Close, at);
                }
            }
            '"' => {
                let text = self.quoted()?;
                self.push(Token::Quoted(text), at);
            }
            '<' | '>' | '=' if self.valued || self.brackets.contains(&true) => {
                self.op(character, at);
            }
            '-' if !self.valued && self.text.get(at + 1).is_some_and(|c| !is_alone_before(*c)) => {
                self.at += 1;
                self.push(Token::Not, at);
            }
            _ => self.word(at),
        }
        Ok(true)
    }

    fn op(&mut self, first: char, at: usize) {
        self.at += 1;
        let equal = first != '=' && self.peek() == Some('=');
        if equal {
            self.at += 1;
        }
        let op = match (first, equal) {
            ('>', true) => Op::AtLeast,
            ('>', false) => Op::Above,
            ('<', true) => Op::AtMost,
            ('<', false) => Op::Below,
            _ => Op::Equal,
        };
        self.push(Token::Op(op), at);
    }

    fn quoted(&mut self) -> Result<String, SearchError> {
        let at = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            match character {
                '"' => return Ok(text),
                '\\' if matches!(self.peek(), Some('"' | '\\')) => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                other => text.push(other),
            }
        }
        let message = "the quote that opens here is never closed; write \" at its end".to_owned();
        Err(SearchError { at, message })
    }

    fn word(&mut self, at: usize) {
        let rest = &self.text[at..];
        let name = rest.iter().take_while(|c| c.is_ascii_alphabetic() || **c == '_').count();
        if !self.valued && (1..=NAME_CHARS_MAX).contains(&name) && rest.get(name) == Some(&':') {
            let text: String = rest[..name].iter().collect();
            self.at = at + name + 1;
            self.push(Token::Field(text.to_ascii_lowercase()), at);
            return;
        }
        let length = rest.iter().take_while(|c| !ends_word(**c)).count();
        let text: String = rest[..length].iter().collect();
        self.at = at + length;
        let token = match text.as_str() {
            "OR" if !self.valued => Token::Or,
            "AND" if !self.valued => Token::And,
            "NOT" if !self.valued => Token::Not,
            _ => Token::Word(text),
        };
        self.push(token, at);
    }
}

/// Whether a sign before this stands alone: it is a word then, no negation.
const fn is_alone_before(next: char) -> bool {
    next.is_whitespace() || next == ')'
}
