//! The `input` of a request for embeddings: texts, or their tokens as LangChain sends them. Tokens are read as the numbers that they are: as
//! values of JSON a body full of them would weigh ten times as much.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::http::error::ApiError;

/// Texts of one request, as at OpenAI.
const MOST_TEXTS: usize = 2_048;
/// Stands for what is no token.
const NO_TOKEN: u32 = u32::MAX;

/// What was sent, whatever it is: what is wrong with it is told by [`Input::texts`].
#[derive(Debug)]
pub(super) enum Input {
    List(Vec<Text>),
    TooMany,
    Other,
}

/// One of several.
#[derive(Debug)]
pub(super) enum Text {
    Words(String),
    Tokens(Vec<u32>),
    Other,
}

impl Input {
    /// The texts, of tokens those that they stand for.
    ///
    /// # Errors
    /// No texts, too many, an empty one, or an unknown token.
    pub(super) fn texts(self) -> Result<Vec<String>, ApiError> {
        let invalid = |message: &str| ApiError::invalid("input", message);
        let list = match self {
            Self::List(list) if !list.is_empty() => list,
            Self::List(_) | Self::TooMany => return Err(invalid("input must have 1 to 2048 texts")),
            Self::Other => return Err(invalid("input must be a string or a list of strings")),
        };
        let text = |text| {
            let text = match text {
                Text::Words(text) => text,
                Text::Tokens(tokens) => text_of(&tokens)?,
                Text::Other => return Err(invalid("input must be a string or a list of strings")),
            };
            if text.trim().is_empty() { Err(invalid("input has an empty text")) } else { Ok(text) }
        };
        list.into_iter().map(text).collect()
    }
}

/// The text of tokens. A token in which a text was cut may leave half a character, which is marked as such.
fn text_of(tokens: &[u32]) -> Result<String, ApiError> {
    let tokenizer = &bpe_openai::cl100k_base().bpe;
    if tokens.iter().any(|token| *token as usize >= tokenizer.num_tokens()) {
        return Err(ApiError::invalid("input", "input has a token that cl100k_base does not know; send texts"));
    }
    Ok(String::from_utf8_lossy(&tokenizer.decode_tokens(tokens)).into_owned())
}

/// An element of a list: a text of its own, or a token of the only one.
enum Element {
    Text(Text),
    Token(u32),
}

struct Token(u32);

/// Makes one thing of whatever stands in JSON.
trait Reads: Sized {
    fn words(_: String) -> Self;
    fn number(_: u32) -> Self;
    fn other() -> Self;

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other())
    }
}

impl Reads for Token {
    fn words(_: String) -> Self {
        Self::other()
    }

    fn number(number: u32) -> Self {
        Self(number)
    }

    fn other() -> Self {
        Self(NO_TOKEN)
    }
}

impl Reads for Element {
    fn words(text: String) -> Self {
        Self::Text(Text::Words(text))
    }

    fn number(number: u32) -> Self {
        Self::Token(number)
    }

    fn other() -> Self {
        Self::Text(Text::Other)
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut tokens = Vec::new();
        while let Some(Token(token)) = list.next_element()? {
            tokens.push(token);
        }
        Ok(Self::Text(Text::Tokens(tokens)))
    }
}

impl Reads for Input {
    fn words(text: String) -> Self {
        Self::List(vec![Text::Words(text)])
    }

    fn number(_: u32) -> Self {
        Self::Other
    }

    fn other() -> Self {
        Self::Other
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut texts = Vec::new();
        while let Some(element) = list.next_element()? {
            match element {
                Element::Token(first) if texts.is_empty() => {
                    let mut tokens = vec![first];
                    while let Some(Token(token)) = list.next_element()? {
                        tokens.push(token);
                    }
                    texts.push(Text::Tokens(tokens));
                }
                Element::Token(_) => texts.push(Text::Other),
                Element::Text(text) => texts.push(text),
            }
            if texts.len() > MOST_TEXTS {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Self::TooMany);
            }
        }
        Ok(Self::List(texts))
    }
}

struct Reading<T>(std::marker::PhantomData<T>);

impl<'de, T: Reads> Visitor<'de> for Reading<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::words(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::words(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::number(u32::try_from(number).unwrap_or(NO_TOKEN)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::number(NO_TOKEN))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::number(NO_TOKEN))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::other())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::other())
    }
}

fn read<'de, D: Deserializer<'de>, T: Reads>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Reading(std::marker::PhantomData))
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(input: serde_json::Value) -> Result<Vec<String>, String> {
        let input: Input = serde_json::from_str(&input.to_string()).unwrap();
        input.texts().map_err(|error| error.message)
    }

    #[test]
    fn texts_and_tokens_become_texts() {
        let hello = json!(bpe_openai::cl100k_base().bpe.encode_via_backtracking(b"hello world"));
        for (input, expected) in [
            (json!("one"), vec!["one"]),
            (json!(["one", "two"]), vec!["one", "two"]),
            (hello.clone(), vec!["hello world"]),
            (json!([hello.clone(), hello]), vec!["hello world", "hello world"]),
        ] {
            assert_eq!(texts(input).unwrap(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        let (shape, count) = ("input must be a string or a list of strings", "input must have 1 to 2048 texts");
        let token = "input has a token that cl100k_base does not know; send texts";
        for (input, reason) in [
            (json!(null), shape),
            (json!(7), shape),
            (json!({"a": [1]}), shape),
            (json!(["one", 7]), shape),
            (json!(["one", {"a": 1}]), shape),
            (json!([null]), shape),
            (json!([]), count),
            (json!(vec!["x"; 2_049]), count),
            (json!(["one", " "]), "input has an empty text"),
            (json!([[]]), "input has an empty text"),
            (json!([4_000_000_000_u64]), token),
            (json!([-1]), token),
            (json!([1.5]), token),
            (json!([1, "two"]), token),
            (json!([[1, ["deep"]]]), token),
        ] {
            assert_eq!(texts(input.clone()).unwrap_err(), reason, "{input}");
        }
    }
}
