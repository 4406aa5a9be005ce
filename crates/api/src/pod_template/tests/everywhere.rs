//! What is the gateway's, named at each place of a pod that takes a text: the places come from the API's own schema, so
//! that those of a later release are tried, too.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use serde_json::json;

use super::*;

/// A text in a pod's spec.
struct Place {
    /// Where it stands, as in `spec.volumes[0].name`.
    path: String,
    /// What the API says of it.
    description: String,
    /// A template that has nothing but it, and what must stand beside it.
    template: PodTemplate,
}

/// Every place of a pod's spec that takes a text, with this one in it.
fn places(text: &str) -> Vec<Place> {
    let settings = SchemaSettings::default().with(|it| it.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<PodSpec>().to_value();
    let place = |(path, description, spec): (String, String, Value)| {
        let Value::Object(template) = json!({ "spec": spec }) else { unreachable!() };
        Place { path: format!("spec{path}"), description, template: PodTemplate(template) }
    };
    texts(&schema, text).into_iter().map(place).collect()
}

fn texts(schema: &Value, text: &str) -> Vec<(String, String, Value)> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let within = |(name, schema): (&String, &Value)| {
            let below = texts(schema, text).into_iter();
            let name = name.clone();
            below
                .map(move |(path, description, value)| {
                    (format!(".{name}{path}"), description, (name.clone(), value))
                })
                .collect::<Vec<_>>()
        };
        let found = properties.iter().flat_map(within);
        let whole = |(path, description, (name, value))| {
            let mut object = least(schema);
            object[name] = value;
            (path, description, object)
        };
        return found.map(whole).collect();
    }
    if let Some(items) = schema.get("items") {
        let below = texts(items, text).into_iter();
        return below
            .map(|(path, description, value)| (format!("[0]{path}"), description, json!([value])))
            .collect();
    }
    if let Some(values) = schema.get("additionalProperties").filter(|it| it.is_object()) {
        let below = texts(values, text).into_iter();
        return below
            .map(|(path, description, value)| (format!(".key{path}"), description, json!({ "key": value })))
            .collect();
    }
    let is_text = schema["type"] == "string" && schema.get("format").is_none();
    let description = schema["description"].as_str().unwrap_or_default().to_owned();
    if is_text { vec![(String::new(), description, json!(text))] } else { Vec::new() }
}

/// The least that the API's types read as this.
fn least(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            required.map(|it| (it.to_owned(), least(&schema["properties"][it]))).collect()
        }
        Some("array") => json!([]),
        Some("integer") => json!(1),
        Some("boolean") => json!(false),
        _ => json!("x"),
    }
}

/// The kinds of containers.
const KINDS: [&str; 3] = ["spec.initContainers", "spec.ephemeralContainers", "spec.containers"];

/// The place, alike for all kinds of containers.
fn without_kind(path: &str) -> String {
    let within = KINDS.iter().find_map(|it| path.strip_prefix(it));
    within.map_or_else(|| path.to_owned(), |it| format!("CONTAINERS{it}"))
}

/// The places at which this text is refused for what it names: if in one kind of container, then in all.
fn refused_places(text: &str) -> BTreeSet<String> {
    let refused = |it: &Place| {
        let errors = parse(&it.template, &rules(SecurityProfile::Privileged)).err().unwrap_or_default();
        let named = errors.iter().find(|error| error.path == it.path);
        named.is_some_and(|it| it.rule.contains("Secret") || it.rule.contains("volume"))
    };
    let found: Vec<String> =
        places(text).into_iter().filter(refused).map(|it| without_kind(&it.path)).collect();
    for path in found.iter().filter(|it| it.starts_with("CONTAINERS")) {
        assert_eq!(found.iter().filter(|it| *it == path).count(), KINDS.len(), "{path}");
    }
    found.into_iter().collect()
}

/// Every place of a pod at which the API takes the name of a Secret.
const SECRETS: [&str; 17] = [
    "CONTAINERS[0].env[0].valueFrom.secretKeyRef.name",
    "CONTAINERS[0].envFrom[0].secretRef.name",
    "spec.imagePullSecrets[0].name",
    "spec.volumes[0].azureFile.secretName",
    "spec.volumes[0].cephfs.secretFile", // a file's name, which nobody is kept from choosing otherwise
    "spec.volumes[0].cephfs.secretRef.name",
    "spec.volumes[0].cinder.secretRef.name",
    "spec.volumes[0].csi.nodePublishSecretRef.name",
    "spec.volumes[0].csi.volumeAttributes.key",
    "spec.volumes[0].flexVolume.options.key",
    "spec.volumes[0].flexVolume.secretRef.name",
    "spec.volumes[0].iscsi.secretRef.name",
    "spec.volumes[0].projected.sources[0].secret.name",
    "spec.volumes[0].rbd.secretRef.name",
    "spec.volumes[0].scaleIO.secretRef.name",
    "spec.volumes[0].secret.secretName",
    "spec.volumes[0].storageos.secretRef.name",
];

/// Every place at which the API takes the name of one of the pod's volumes.
const VOLUMES: [&str; 4] = [
    "CONTAINERS[0].env[0].valueFrom.fileKeyRef.volumeName",
    "CONTAINERS[0].volumeDevices[0].name",
    "CONTAINERS[0].volumeMounts[0].name",
    "spec.volumes[0].name",
];

#[test]
fn a_secret_of_the_gateway_is_refused_at_every_place_that_takes_one_and_at_no_other() {
    let expected = SECRETS.map(str::to_owned).into();
    for name in ["the-app", "blue-0123abcd-agent-0", "blue-0123456789-payload"] {
        assert_eq!(refused_places(name), expected, "{name}");
    }
    assert_eq!(refused_places("a-secret-of-ours"), BTreeSet::new());
}

#[test]
fn a_volume_of_the_gateway_is_refused_at_every_place_that_takes_one() {
    let expected: BTreeSet<String> = SECRETS.into_iter().chain(VOLUMES).map(str::to_owned).collect();
    for name in [names::PAYLOAD_VOLUME, names::RUN_VOLUME, names::STOP_VOLUME, names::GITHUB_CA_VOLUME] {
        assert_eq!(refused_places(name), expected, "{name}");
    }
}

#[test]
fn no_place_of_which_the_api_speaks_of_a_secret_is_left_out() {
    let refused = refused_places("the-app");
    let speaks = places("x").into_iter().filter(|it| it.description.to_lowercase().contains("secret"));
    let others: BTreeSet<String> =
        speaks.map(|it| without_kind(&it.path)).filter(|it| !refused.contains(it)).collect();
    // A key of the Secret that is named beside it; how files of a Secret are owned; where images come from.
    let expected = [
        "CONTAINERS[0].env[0].valueFrom.secretKeyRef.key",
        "spec.securityContext.fsGroupChangePolicy",
        "spec.volumes[0].image.reference",
    ];
    assert_eq!(others, expected.map(str::to_owned).into());
}
