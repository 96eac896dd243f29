//! Questions from Parquet, the form in which the hub of Hugging Face keeps data sets. Built with `--features parquet` only:
//! its reader is as much to build as a tenth of all the rest.

use std::fs::File;

use anyhow::{Context as _, bail};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use tasks::Question;

/// Bytes of all rows of a file as JSON: what is compressed well must not fill the memory.
const ROWS_BYTES_MAX: usize = 4 << 30;

/// The rows of a file, columns in their order; lists and structures as JSON has them.
pub(super) fn rows(path: &str) -> anyhow::Result<Vec<Question>> {
    let file = File::open(path)?;
    let reader = SerializedFileReader::new(file).context("it is no Parquet file that can be read")?;
    let mut questions = Vec::new();
    let mut bytes = 0;
    for (row, place) in reader.get_row_iter(None)?.zip(1_u64..) {
        let named = || format!("row {place}");
        let text = row.with_context(named)?.to_json_value().to_string();
        bytes += text.len();
        if bytes > ROWS_BYTES_MAX {
            bail!("its rows have more than {ROWS_BYTES_MAX} bytes");
        }
        questions.push(Question::from_json(&text).with_context(named)?);
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_were_written() {
        // Written by pyarrow: lists, a structure, a null, quotes.
        let rows = rows(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/two.parquet")).unwrap();
        assert_eq!(
            rows[0].to_json(),
            r#"{"context":"Ana didn't go.","question":"What's next?","choices":["go home","see Bo's brother","rest"],"label":1,"weight":0.5,"note":null,"nested":{"text":["a","b"],"n":1},"flag":true}"#
        );
        assert_eq!(rows[1].field("context").unwrap(), "Zoë said \"no\".");
        assert!(super::rows(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_err());
    }
}
