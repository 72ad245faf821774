//! Reads a collection in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`. Everything is bounded; a file that is
//! not as it should be is refused with its line. Questions without a relevant document are left out, as there is nothing to find.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::metrics::Judged;

/// Documents, questions, and judgements of a collection.
const MOST_LINES: usize = 1_000_000;
/// Bytes of one line, with which goes one document.
const MOST_LINE_BYTES: u64 = 4 << 20;
/// Bytes of all texts, which are held in memory.
const MOST_BYTES: usize = 2 << 30;

/// A collection with judged questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The folder's name.
    pub name: String,
    /// Texts of the documents; a place in here is what a document is known by. One without text has an empty one.
    pub documents: Vec<String>,
    pub questions: Vec<Question>,
    /// Questions that no document is relevant for.
    pub unjudged: usize,
}

/// A question and the places of the documents that are relevant for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    pub text: String,
    pub judged: Judged,
}

/// Why a collection cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("line {line} of {}: {what}", path.display())]
    Line { path: PathBuf, line: usize, what: String },
    #[error("{} has {what}", path.display())]
    Content { path: PathBuf, what: &'static str },
}

#[derive(Deserialize)]
struct CorpusLine {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

impl Dataset {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file that is missing, too large, or not of its format; a judgement of a document that is not there.
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let corpus = folder.join("corpus.jsonl");
        let mut places = HashMap::new();
        let mut documents = Vec::new();
        let mut bytes = 0;
        for (number, line) in json_lines::<CorpusLine>(&corpus)? {
            let CorpusLine { id, title, text } = line;
            let text = format!("{title}\n{text}").trim().to_owned();
            bytes += text.len();
            if bytes > MOST_BYTES {
                return Err(DatasetError::Content { path: corpus, what: "more text than can be held in memory" });
            }
            if places.insert(id, documents.len()).is_some() {
                return Err(DatasetError::Line { path: corpus, line: number, what: "its _id was there before".into() });
            }
            documents.push(text);
        }
        if documents.is_empty() {
            return Err(DatasetError::Content { path: corpus, what: "no documents" });
        }
        let mut judgements = judgements(&folder.join("qrels/test.tsv"), &places)?;
        let path = folder.join("queries.jsonl");
        let mut questions = Vec::new();
        let mut unjudged = 0;
        for (_, QueryLine { id, text }) in json_lines::<QueryLine>(&path)? {
            match judgements.remove(&id).filter(|judged| judged.values().any(|relevance| *relevance > 0)) {
                Some(judged) if !text.trim().is_empty() => questions.push(Question { text, judged }),
                Some(_) | None => unjudged += 1,
            }
        }
        if questions.is_empty() {
            return Err(DatasetError::Content { path, what: "no question that a document is relevant for" });
        }
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Ok(Self { name: name.unwrap_or_default(), documents, questions, unjudged })
    }
}

/// Judgements by the question's id.
fn judgements(path: &Path, places: &HashMap<String, usize>) -> Result<HashMap<String, Judged>, DatasetError> {
    let mut judgements: HashMap<String, Judged> = HashMap::new();
    for (number, line) in lines(path)? {
        let refused = |what: &str| DatasetError::Line { path: path.to_owned(), line: number, what: what.to_owned() };
        let mut fields = line.split('\t').map(str::trim);
        let (Some(query), Some(document), Some(score), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(refused("it has not the three fields query-id, corpus-id, score"));
        };
        if number == 1 {
            if (query, document, score) != ("query-id", "corpus-id", "score") {
                return Err(refused("the header must be query-id, corpus-id, score"));
            }
            continue;
        }
        // Some collections mark what is surely wrong with negative numbers.
        let score: i32 = score.parse().map_err(|_| refused("the score is no whole number"))?;
        let place = places.get(document).ok_or_else(|| refused("the corpus has no such document"))?;
        judgements.entry(query.to_owned()).or_default().insert(*place, score.max(0).unsigned_abs());
    }
    Ok(judgements)
}

fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, DatasetError> {
    let parsed = |(number, line): (usize, String)| match serde_json::from_str(&line) {
        Ok(value) => Ok((number, value)),
        Err(error) => Err(DatasetError::Line { path: path.to_owned(), line: number, what: error.to_string() }),
    };
    lines(path)?.into_iter().map(parsed).collect()
}

/// The lines that are not blank, with their numbers from 1.
fn lines(path: &Path) -> Result<Vec<(usize, String)>, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut lines = Vec::new();
    let mut bytes = 0;
    for number in 1.. {
        let mut line = String::new();
        let read = reader.by_ref().take(MOST_LINE_BYTES + 1).read_line(&mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        bytes += read;
        if read as u64 > MOST_LINE_BYTES || bytes > MOST_BYTES || number > MOST_LINES {
            return Err(DatasetError::Line { path: path.to_owned(), line: number, what: "the file is too large here".into() });
        }
        if !line.trim().is_empty() {
            lines.push((number, line.trim_end_matches(['\r', '\n']).to_owned()));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these three files.
    fn folder(corpus: &str, queries: &str, qrels: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("qrels")).unwrap();
        for (name, text) in [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels/test.tsv", qrels)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const CORPUS: &str = "{\"_id\": \"a\", \"title\": \"Bread\", \"text\": \"Flour.\", \"metadata\": {}}\n\n{\"_id\": \"b\", \"text\": \"Tram.\"}\n";
    const QUERIES: &str = "{\"_id\": \"1\", \"text\": \"What is in bread?\"}\n{\"_id\": \"2\", \"text\": \"Nothing?\"}\n{\"_id\": \"3\", \"text\": \"Unjudged?\"}";
    const QRELS: &str = "query-id\tcorpus-id\tscore\r\n1\ta\t2\r\n1\tb\t-1\r\n2\tb\t0\r\n";

    #[test]
    fn a_collection_is_read_with_the_questions_that_have_something_to_find() {
        let folder = folder(CORPUS, QUERIES, QRELS);
        let dataset = Dataset::read(folder.path()).unwrap();
        assert_eq!(dataset.documents, ["Bread\nFlour.", "Tram."]);
        let judged = Judged::from([(0, 2), (1, 0)]);
        assert_eq!(dataset.questions, [Question { text: "What is in bread?".into(), judged }]);
        assert_eq!(dataset.unjudged, 2);
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be_is_refused_with_its_line() {
        let cases = [
            ("{\"_id\": 7}", QUERIES, QRELS, "line 1 of"),
            ("{\"_id\": \"a\"}\n{\"_id\": \"a\"}", QUERIES, QRELS, "line 2 of"),
            ("", QUERIES, QRELS, "no documents"),
            (CORPUS, "", QRELS, "no question"),
            (CORPUS, QUERIES, "1\ta\t2", "the header must be"),
            (CORPUS, QUERIES, "query-id\tcorpus-id\tscore\n1\tc\t1", "no such document"),
            (CORPUS, QUERIES, "query-id\tcorpus-id\tscore\n1\ta", "three fields"),
            (CORPUS, QUERIES, "query-id\tcorpus-id\tscore\n1\ta\tx", "no whole number"),
        ];
        for (corpus, queries, qrels, expected) in cases {
            let folder = folder(corpus, queries, qrels);
            let error = Dataset::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} does not say {expected}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Dataset::read(folder.path()).unwrap_err().to_string().contains("corpus.jsonl"));
    }
}
