//! Receipts, posts, policies and options as bytes of any kind.

use std::sync::LazyLock;

use serde_json::{Value, json};
use veridical_receipt::options::{answer, answer_post};

const PROGRAM: &[u8] = include_bytes!("../../../vectors/program/example.vprog");
const GIVEN: &str = include_str!("../../../vectors/receipt/given.json");
const KEYS: [&str; 2] = [
    include_str!("../../../vectors/receipt/keys/ed25519.pub"),
    include_str!("../../../vectors/receipt/keys/p256.pub"),
];
/// What is honest: nobody can sign anything else for these keys.
const RECEIPTS: [&[u8]; 4] = [
    include_bytes!("../../../vectors/receipt/valid/plain.receipt.json"),
    include_bytes!("../../../vectors/receipt/valid/p256.receipt.json"),
    include_bytes!("../../../vectors/receipt/valid/private_revealed.receipt.json"),
    include_bytes!("../../../vectors/receipt/valid/trace_root.receipt.json"),
];
const LOGGED: &[u8] = include_bytes!("../../../vectors/logged/one_checkpoint.receipt.json");
const POST: &[u8] = include_bytes!("../../../vectors/post/posts/exact.post.json");

struct Scene {
    policy: String,
    now: Value,
    /// The member `statement` of every honest receipt.
    statements: Vec<Value>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let rule = |keys: &str| {
        format!(
            "version = \"veridical-policy/v1\"\n[[rule]]\ntype = \"trusted_signers\"\nkeys = [{keys}]\n"
        )
    };
    let keys = KEYS.map(|key| format!("\"\"\"{key}\"\"\""));
    let given: Value = serde_json::from_str(GIVEN).unwrap();
    let honest = RECEIPTS.iter().chain([&LOGGED]);
    let statements = honest.map(|receipt| {
        let receipt: Value = serde_json::from_slice(receipt).unwrap();
        receipt["statement"].clone()
    });
    Scene {
        policy: rule(&keys.join(", ")),
        now: given["now"].clone(),
        statements: statements.collect(),
    }
});

/// Nothing panics, every answer is one, and only statements that were signed are accepted.
///
/// The first byte says what the others are: a receipt, a policy, options or a post.
pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let scene = &*SCENE;
    let options = json!({"policy": scene.policy, "now": scene.now}).to_string();
    let options = options.as_bytes();
    let answer = match kind % 4 {
        0 => answer(data, options, PROGRAM),
        1 => {
            let policy = String::from_utf8_lossy(data);
            let options = json!({"policy": policy, "now": scene.now, "form": "explain"});
            answer(LOGGED, options.to_string().as_bytes(), PROGRAM)
        }
        2 => answer(RECEIPTS[0], data, PROGRAM),
        _ => answer_post(data, b"", options),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap();
    match answer["verdict"].as_str() {
        None | Some("rejected" | "undecided") => {
            assert!(answer["error"]["name"].is_string(), "no reason is given");
        }
        Some("accepted") => {
            let verified = [&answer, &answer["verified"], &answer["receipt"]];
            let statements = verified.map(|verified| &verified["statement"]);
            let is_honest = |one: &&Value| scene.statements.contains(one);
            assert!(statements.iter().any(is_honest), "a forgery is accepted");
        }
        Some(other) => panic!("{other} is no verdict"),
    }
}

/// Inputs that reach far: what honest files begin from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for receipt in RECEIPTS.iter().chain([&LOGGED]) {
        seeds.push([&[0], *receipt].concat());
    }
    seeds.push([b"\x01", SCENE.policy.as_bytes()].concat());
    let options = json!({"policy": SCENE.policy, "now": SCENE.now, "form": "explain"});
    seeds.push([b"\x02", options.to_string().as_bytes()].concat());
    seeds.push([b"\x03", POST].concat());
    seeds
}
