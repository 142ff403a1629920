//! Holds a value against a schema of the OpenAPI document. Nothing may be there that is not
//! described, and nothing may lack that is required.

use serde_json::{Map, Value};

/// What is wrong with an answer of this operation and status.
pub fn faults(document: &Value, operation: &str, status: u16, value: &Value) -> Vec<String> {
    let (method, path) = operation.split_once(' ').unwrap();
    let responses = &document["paths"][path][method.to_lowercase()]["responses"];
    let response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
    let content = response["content"].as_object().expect("the operation is documented");
    let schema = &content.values().next().unwrap()["schema"];
    let mut faults = Vec::new();
    check(document, schema, value, "$", &mut faults);
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = resolve(document, schema);
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let fits = choices.iter().any(|choice| {
            let mut found = Vec::new();
            check(document, choice, value, at, &mut found);
            found.is_empty()
        });
        if !fits {
            faults.push(format!("{at}: {value} fits none of the choices"));
        }
        return;
    }
    if !has_type(schema, value) {
        faults.push(format!("{at}: {value} is not {}", schema["type"]));
        return;
    }
    match value {
        Value::Object(object) => check_object(document, schema, object, at, faults),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                check(document, &schema["items"], item, &format!("{at}[{number}]"), faults);
            }
        }
        _ => {}
    }
}

fn check_object(
    document: &Value,
    schema: &Value,
    object: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    gather(document, schema, &mut properties, &mut required);
    if properties.is_empty() {
        return;
    }
    for name in required.iter().filter(|name| !object.contains_key(*name)) {
        faults.push(format!("{at}.{name} is required and not there"));
    }
    for (name, value) in object {
        match properties.get(name) {
            Some(schema) => check(document, schema, value, &format!("{at}.{name}"), faults),
            None => faults.push(format!("{at}.{name} is not described")),
        }
    }
}

fn gather(
    document: &Value,
    schema: &Value,
    into: &mut Map<String, Value>,
    required: &mut Vec<String>,
) {
    let schema = resolve(document, schema);
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        gather(document, part, into, required);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        into.extend(properties.clone());
    }
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => resolve(document, document.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let fits = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(fits),
        Some(name) => fits(name),
    }
}
