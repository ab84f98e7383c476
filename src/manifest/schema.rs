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
fn without_null(value: &mut Value) {
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
