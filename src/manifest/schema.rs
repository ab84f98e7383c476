//! The JSON Schema of manifests, for editors and CI.

use serde_json::Value;

use super::model::Manifest;

/// The schema of one document of a manifest file, of any of the four kinds.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Manifest).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), Value::from("A manifest of bursar"));
        // One of the four by its `kind`: an editor then complains about the kind that is meant.
        if let Some(kinds) = object.remove("anyOf") {
            object.insert("oneOf".to_owned(), kinds);
        }
    }
    without_null(&mut schema);
    schema
}

/// A field that may be left out may not be `null`: an empty value is a finding (BUR0025).
pub(crate) fn without_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
                if let [only] = options.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    if let Value::Object(only) = only {
                        for (key, inner) in only {
                            object.entry(key).or_insert(inner);
                        }
                    }
                }
            }
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::documents;

    /// The two readings of a manifest, the schema's and the program's, know the same fields.
    #[test]
    fn the_schema_and_the_reader_know_the_same_fields() {
        let schema = json_schema();
        let fields = |name: &str| {
            let properties = schema["$defs"][name]["properties"].as_object().unwrap();
            properties.keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        for (name, known) in [
            ("ClientAccount", documents::DOCUMENT_FIELDS),
            ("MemberGroup", documents::DOCUMENT_FIELDS),
            ("ClientDefaults", documents::DOCUMENT_FIELDS),
            ("Offboarding", documents::DOCUMENT_FIELDS),
            ("Metadata", documents::METADATA_FIELDS),
            ("ClientAccountSpec", documents::CLIENT_FIELDS),
            ("ClientDefaultsSpec", documents::DEFAULTS_FIELDS),
            ("MemberGroupSpec", documents::GROUP_FIELDS),
            ("OffboardingSpec", documents::OFFBOARDING_FIELDS),
            ("Person", documents::PERSON_FIELDS),
        ] {
            assert_eq!(fields(name), known.iter().map(|field| (*field).to_owned()).collect(), "{name}");
        }
        let kinds: Vec<_> = schema["oneOf"].as_array().unwrap().iter().map(|kind| kind["$ref"].clone()).collect();
        assert_eq!(kinds.len(), documents::KINDS.len());
    }
}
