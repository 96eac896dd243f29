//! `response_format`: what an answer must be a document of.

use inference::{GenerateRequest, Schema};
use serde::Deserialize;
use serde_json::Value;

use super::error::Refusal;

/// The form of an answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseFormat {
    /// Any text.
    Text,
    /// An object in JSON.
    JsonObject,
    /// A document that fits a schema.
    JsonSchema { json_schema: NamedSchema },
}

/// A schema with its name, which says nothing here. Answers fit whether or not it says `strict`.
#[derive(Debug, Deserialize)]
pub(super) struct NamedSchema {
    schema: Option<Value>,
}

impl ResponseFormat {
    /// Puts a question under the schema of a form, if there is one.
    pub(super) fn apply(form: Option<&Self>, asked: &mut GenerateRequest) -> Result<(), Refusal> {
        let schema = match form {
            None | Some(Self::Text) => return Ok(()),
            Some(Self::JsonObject) => Schema::any_object(),
            Some(Self::JsonSchema { json_schema }) => {
                let schema = json_schema.schema.clone();
                Schema::new(schema.ok_or_else(|| Refusal::request("'json_schema' has no 'schema'"))?)
            }
        };
        if !asked.stop.is_empty() {
            return Err(Refusal::request("an answer with a 'response_format' is a whole document: leave 'stop' out"));
        }
        asked.schema = Some(schema.map_err(|error| Refusal::request(&error.to_string()))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(form: Value, stop: &[&str]) -> Result<Option<Schema>, String> {
        let form: ResponseFormat = serde_json::from_value(form).map_err(|error| error.to_string())?;
        let mut asked = GenerateRequest::new(vec!["x".to_owned()], 9);
        asked.stop = stop.iter().map(|&stop| stop.to_owned()).collect();
        ResponseFormat::apply(Some(&form), &mut asked).map_err(|refusal| refusal.json().to_string())?;
        Ok(asked.schema)
    }

    #[test]
    fn a_form_becomes_a_schema_or_is_refused_by_what_is_wrong_with_it() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "null" } }, "required": ["a"] });
        let form = json!({ "type": "json_schema", "json_schema": { "name": "x", "strict": true, "schema": schema } });
        assert!(applied(form.clone(), &[]).unwrap().unwrap().fits(r#"{"a":null}"#));
        assert!(applied(json!({ "type": "json_object" }), &[]).unwrap().unwrap().fits("{}"));
        assert_eq!(applied(json!({ "type": "text" }), &["\n"]), Ok(None));
        let pattern = json!({ "schema": { "type": "string", "pattern": "a" } });
        for (form, stop, part) in [
            (form, &["\n"][..], "leave 'stop' out"),
            (json!({ "type": "json_schema", "json_schema": { "name": "x" } }), &[], "no 'schema'"),
            (json!({ "type": "json_schema", "json_schema": pattern }), &[], "'pattern'"),
            (json!({ "type": "grammar" }), &[], "unknown variant"),
        ] {
            let refusal = applied(form.clone(), stop).unwrap_err();
            assert!(refusal.contains(part), "{form}: {refusal}");
        }
    }
}
