//! Policies from TOML. What is not understood is an error; nothing is ignored.
//!
//! Spec: spec/v1/policy.md, section 4.

use toml::{Table as Content, Value};

use crate::error::Error;
use crate::keys::PublicKey;
use crate::log::{LogTrust, NoteKey, Role};
use crate::policy::rules::{Parameters, Rule, SeedRule, format_error};
use crate::seed::QUICKNET;
use crate::statement::{Decode, Parameter};
use crate::text::{is_digest, is_hex, listed, quoted, shorten};

const VERSION: &str = "veridical-policy/v1";
const MAX_BYTES: usize = 1024 * 1024;
const MAX_RULES: usize = 256;
const MAX_DEPTH: usize = 8;
/// How far a signer's clock may be ahead, unless a policy says otherwise.
const CLOCK_SKEW_SECONDS: i64 = 60;
const MAX_NONCE: usize = 256;
const TYPES: [&str; 15] = [
    "trusted_signers",
    "trusted_models",
    "require_tier",
    "require_logged",
    "require_seed",
    "require_tee",
    "expect_decode",
    "expect_input",
    "expect_output",
    "nonce",
    "max_age",
    "max_saturation",
    "min_soundness_bits",
    "all_of",
    "any_of",
];

/// Parses a policy. Its keys stand in it, for there is no folder to find files in.
///
/// # Errors
/// By kind; the message names the rule.
pub(crate) fn read(text: &str) -> Result<Rule, Error> {
    let place = "policy";
    if text.len() > MAX_BYTES {
        return Err(format_error(format!("more than {MAX_BYTES} bytes")).at(place));
    }
    if text.starts_with('\u{feff}') {
        let message = "not TOML: it begins with a byte order mark";
        return Err(format_error(message).at(place));
    }
    let content = text.parse::<Content>().map_err(|error| {
        let message = error.message().to_owned();
        format_error(format!("not TOML: {message}")).at(place)
    })?;
    let mut table = Table {
        content,
        place: place.to_owned(),
    };
    let version = table.text("version")?;
    if version != VERSION {
        let (expected, found) = (quoted(VERSION), shorten(&quoted(&version), 80));
        let message = format!("expected version {expected}, found {found}");
        return Err(format_error(message).at(place));
    }
    let mut reader = Reader { rules: 0 };
    let rules = reader.rules(&mut table, 1)?;
    table.require_empty()?;
    some_rules("AllOf", rules).map(Rule::AllOf)
}

fn some_rules(name: &str, rules: Vec<Rule>) -> Result<Vec<Rule>, Error> {
    if rules.is_empty() {
        Err(format_error(format!(
            "{name} needs at least one rule: an empty policy accepts nothing"
        )))
    } else {
        Ok(rules)
    }
}

/// A table whose keys are taken one by one; what is left over is an error.
struct Table {
    content: Content,
    place: String,
}

impl Table {
    fn of(value: Value, place: String) -> Result<Self, Error> {
        match value {
            Value::Table(content) => Ok(Self { content, place }),
            _ => Err(format_error("expected a table").at(place)),
        }
    }

    fn refuse(&self, message: impl Into<String>) -> Error {
        format_error(message).at(&self.place)
    }

    fn take(&mut self, key: &str) -> Result<Value, Error> {
        let taken = self.content.remove(key);
        taken.ok_or_else(|| self.refuse(format!("key {} is missing", quoted(key))))
    }

    fn wrong_type(&self, key: &str, kind: &str) -> Error {
        self.refuse(format!("key {} is not of type {kind}", quoted(key)))
    }

    fn text(&mut self, key: &str) -> Result<String, Error> {
        match self.take(key)? {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong_type(key, "str")),
        }
    }

    /// A string; an absent one is empty.
    fn optional_text(&mut self, key: &str) -> Result<String, Error> {
        if self.content.contains_key(key) {
            self.text(key)
        } else {
            Ok(String::new())
        }
    }

    fn list(&mut self, key: &str) -> Result<Vec<Value>, Error> {
        match self.take(key)? {
            Value::Array(items) => Ok(items),
            _ => Err(self.wrong_type(key, "list")),
        }
    }

    fn table(&mut self, key: &str) -> Result<Content, Error> {
        match self.take(key)? {
            Value::Table(content) => Ok(content),
            _ => Err(self.wrong_type(key, "dict")),
        }
    }

    fn integer(&mut self, key: &str) -> Result<i64, Error> {
        match self.take(key)? {
            Value::Integer(integer) => Ok(integer),
            _ => Err(self.wrong_type(key, "int")),
        }
    }

    /// A list of strings; only an absent one is empty.
    fn texts(&mut self, key: &str) -> Result<Vec<String>, Error> {
        if !self.content.contains_key(key) {
            return Ok(Vec::new());
        }
        let items = self.list(key)?;
        if items.is_empty() {
            let message = format!("key {} needs at least one string", quoted(key));
            return Err(self.refuse(message));
        }
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        });
        let texts: Option<Vec<String>> = texts.collect();
        texts.ok_or_else(|| self.refuse(format!("key {} is not a list of strings", quoted(key))))
    }

    /// True or false; an absent one is false.
    fn flag(&mut self, key: &str) -> Result<bool, Error> {
        match self.content.remove(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(self.refuse(format!("key {} is neither true nor false", quoted(key)))),
        }
    }

    fn require_empty(&self) -> Result<(), Error> {
        match self.content.keys().min() {
            None => Ok(()),
            Some(key) => {
                let key = quoted(&shorten(key, 64));
                Err(self.refuse(format!("unknown key {key}")))
            }
        }
    }
}

/// Builds rules from tables and counts them.
struct Reader {
    rules: usize,
}

impl Reader {
    fn rules(&mut self, table: &mut Table, depth: usize) -> Result<Vec<Rule>, Error> {
        if depth > MAX_DEPTH {
            let message = format!("rules are nested deeper than {MAX_DEPTH}");
            return Err(table.refuse(message));
        }
        let items = table.list("rule")?.into_iter().enumerate();
        let place = table.place.clone();
        items
            .map(|(i, item)| {
                let place = format!("{place}: rule {}", i.saturating_add(1));
                self.rule(Table::of(item, place)?, depth)
            })
            .collect()
    }

    fn rule(&mut self, mut table: Table, depth: usize) -> Result<Rule, Error> {
        self.rules = self.rules.saturating_add(1);
        if self.rules > MAX_RULES {
            return Err(table.refuse(format!("more than {MAX_RULES} rules")));
        }
        let kind = table.text("type")?;
        let rule = self.built(&kind, &mut table, depth);
        let rule = rule.map_err(|error| {
            let place = error.place.as_ref().unwrap_or(&table.place);
            Error::new(error.kind, error.message).at(place)
        })?;
        table.require_empty()?;
        Ok(rule)
    }

    fn built(&mut self, kind: &str, table: &mut Table, depth: usize) -> Result<Rule, Error> {
        let below = depth.saturating_add(1);
        Ok(match kind {
            "trusted_signers" => Rule::TrustedSigners(some("TrustedSigners", keys(table)?)?),
            "trusted_models" => Rule::TrustedModels(models(table.texts("digests")?)?),
            "require_tier" => Rule::RequireTier(tiers(table)?),
            "require_logged" => {
                let (trust, streams) = logged(table)?;
                Rule::RequireLogged { trust, streams }
            }
            "require_seed" => seed(table)?,
            "require_tee" => {
                hardware(core::mem::take(&mut table.content))?;
                Rule::RequireTee
            }
            "expect_decode" => Rule::ExpectDecode(decode(table)?),
            "expect_input" => Rule::ExpectInput,
            "expect_output" => Rule::ExpectOutput,
            "nonce" => Rule::Nonce(nonce(table)?),
            "max_age" => {
                let seconds = table.integer("seconds")?;
                let has_skew = table.content.contains_key("clock_skew_seconds");
                let skew = if has_skew {
                    table.integer("clock_skew_seconds")?
                } else {
                    CLOCK_SKEW_SECONDS
                };
                Rule::MaxAge {
                    seconds: count("MaxAge", seconds)?,
                    clock_skew: count("MaxAge", skew)?,
                }
            }
            "max_saturation" => {
                Rule::MaxSaturation(count("MaxSaturation", table.integer("count")?)?)
            }
            "min_soundness_bits" => {
                Rule::MinSoundnessBits(count("MinSoundnessBits", table.integer("bits")?)?)
            }
            "all_of" => Rule::AllOf(some_rules("AllOf", self.rules(table, below)?)?),
            "any_of" => Rule::AnyOf(some_rules("AnyOf", self.rules(table, below)?)?),
            _ => {
                let kind = quoted(&shorten(kind, 64));
                let message = format!(
                    "unknown rule type {kind}; expected one of {}",
                    listed(TYPES)
                );
                return Err(table.refuse(message));
            }
        })
    }
}

fn some<T>(rule: &str, members: Vec<T>) -> Result<Vec<T>, Error> {
    if members.is_empty() {
        Err(format_error(format!("{rule} needs at least one member")))
    } else {
        Ok(members)
    }
}

fn count(rule: &str, value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| {
        format_error(format!(
            "{rule} needs an integer of at least 0, not {value}"
        ))
    })
}

fn keys(table: &mut Table) -> Result<Vec<PublicKey>, Error> {
    let pems = table.texts("keys")?;
    if !table.texts("key_files")?.is_empty() {
        return Err(table.refuse("key_files need a policy file to stand beside"));
    }
    let keys = pems
        .iter()
        .map(|pem| PublicKey::from_pem(pem, &table.place));
    keys.collect()
}

fn models(digests: Vec<String>) -> Result<Vec<String>, Error> {
    if let Some(text) = digests.iter().find(|text| !is_digest(text)) {
        let text = quoted(&shorten(text, 90));
        return Err(format_error(format!("not a model digest: {text}")));
    }
    some("TrustedModels", digests)
}

fn tiers(table: &mut Table) -> Result<Vec<String>, Error> {
    let tiers = some("RequireTier", table.texts("tiers")?)?;
    if tiers.iter().any(String::is_empty) {
        return Err(format_error("a tier has a name, not ''"));
    }
    Ok(tiers)
}

fn nonce(table: &mut Table) -> Result<String, Error> {
    let value = table.text("value")?;
    if !(1..=MAX_NONCE).contains(&value.chars().count()) {
        let message = format!("a nonce has 1 to {MAX_NONCE} characters");
        return Err(format_error(message));
    }
    Ok(value)
}

fn decode(table: &mut Table) -> Result<Decode, Error> {
    let members = table
        .table("decode")?
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, Parameter::Text(text))),
            Value::Integer(integer) => Ok((key, Parameter::Integer(integer))),
            _ => Err(format_error(
                "ExpectDecode needs a table of strings and integers",
            )),
        });
    members.collect()
}

/// A rule about logs: whose checkpoints count, and the streams that a receipt may be of.
fn logged(table: &mut Table) -> Result<(LogTrust, Vec<String>), Error> {
    let (logs, cosigners) = (table.texts("logs")?, table.texts("cosigners")?);
    let stated = if table.content.contains_key("min_cosigners") {
        Some(table.integer("min_cosigners")?)
    } else {
        None
    };
    let allow_split_view = table.flag("allow_split_view")?;
    let streams = table.texts("streams")?;
    let logs = some("RequireLogged", logs)?;
    let cosigners = note_keys(&cosigners)?;
    let min_cosigners = match stated {
        Some(stated) => count("RequireLogged", stated)?,
        None => u64::try_from(cosigners.len()).unwrap_or(u64::MAX),
    };
    let logs = note_keys(&logs)?;
    for (role, keys) in [(Role::Log, &logs), (Role::Cosigner, &cosigners)] {
        require_distinct(role, keys)?;
    }
    if logs
        .iter()
        .any(|log| cosigners.iter().any(|one| one.raw == log.raw))
    {
        return Err(format_error(
            "RequireLogged: one key is named as a log and as a cosigner of it",
        ));
    }
    let min_cosigners = usize::try_from(min_cosigners)
        .ok()
        .filter(|count| *count <= cosigners.len())
        .ok_or_else(|| {
            let named = cosigners.len();
            format_error(format!(
                "RequireLogged: {min_cosigners} cosigners of {named} that are named"
            ))
        })?;
    let (count, among) = (min_cosigners, cosigners.len());
    if count > 0 && count.saturating_mul(2) <= among && !allow_split_view {
        return Err(format_error(format!(
            "RequireLogged: {count} of {among} cosigners: two histories could both be cosigned, \
             with no cosigner that lies"
        )));
    }
    if streams.iter().any(String::is_empty) {
        return Err(format_error("RequireLogged: streams are names"));
    }
    let trust = LogTrust {
        logs,
        cosigners,
        min_cosigners,
        allow_split_view,
    };
    Ok((trust, streams))
}

fn note_keys(texts: &[String]) -> Result<Vec<NoteKey>, Error> {
    texts.iter().map(|text| NoteKey::read(text)).collect()
}

/// One key is one voice. Logs may rotate keys under one name; cosigners are counted by name and by key.
fn require_distinct(role: Role, keys: &[NoteKey]) -> Result<(), Error> {
    for (i, key) in keys.iter().enumerate() {
        let name = &key.name;
        if key.role != role {
            let (found, expected) = (key.role.name(), role.name());
            let message = format!("{name} is the vkey of a {found}, not of a {expected}");
            return Err(format_error(format!("RequireLogged: {message}")));
        }
        let is_same = |other: &NoteKey| {
            other.raw == key.raw || (role == Role::Cosigner && other.name == *name)
        };
        if keys.iter().take(i).any(is_same) {
            let role = role.name();
            let message = format!("{role} {name} is named twice");
            return Err(format_error(format!("RequireLogged: {message}")));
        }
    }
    Ok(())
}

fn seed(table: &mut Table) -> Result<Rule, Error> {
    let (mode, keys) = (table.text("mode")?, keys(table)?);
    let beacon = if table.content.contains_key("beacon") {
        table.text("beacon")?
    } else {
        QUICKNET.to_owned()
    };
    let logged = if mode == "vrf+beacon" {
        Some(logged(table)?)
    } else {
        None
    };
    let free = table.texts("any")?;
    if free.iter().any(|part| !PARTS.contains(&part.as_str())) {
        let message = "key 'any' names parts other than those of a question";
        return Err(format_error(message));
    }
    let is_free = |part: &str| free.iter().any(|free| free == part);
    let nonce = if is_free("nonce") {
        None
    } else {
        Some(table.text("nonce")?)
    };
    let parameters = if is_free("parameters") {
        None
    } else {
        Some(parameters(table)?)
    };
    let digests = if is_free("models") {
        None
    } else {
        Some(table.texts("models")?)
    };
    if beacon != QUICKNET {
        let (beacon, expected) = (quoted(&shorten(&beacon, 64)), quoted(QUICKNET));
        let message = format!("unknown beacon {beacon}; expected {expected}");
        return Err(format_error(message));
    }
    if !matches!(mode.as_str(), "vrf" | "vrf+beacon") {
        let mode = shorten(&quoted(&mode), 40);
        return Err(format_error(format!(
            "mode {mode} is none of vrf, vrf+beacon"
        )));
    }
    if keys.is_empty() {
        return Err(format_error("RequireSeed needs at least one key"));
    }
    if logged
        .as_ref()
        .is_some_and(|(trust, _)| trust.min_cosigners < 1)
    {
        return Err(format_error(
            "RequireSeed needs a cosigner: nobody else says that the intent was there before the round",
        ));
    }
    let raw: Option<Vec<[u8; 32]>> = keys.iter().map(PublicKey::ed25519).collect();
    let keys = raw.ok_or_else(|| format_error("RequireSeed: a key for seeds is an Ed25519 key"))?;
    if nonce
        .as_ref()
        .is_some_and(|nonce| nonce.chars().count() > MAX_NONCE)
    {
        let message = "the nonce is the one that was sent, '' if none was, or ANY";
        return Err(format_error(message));
    }
    Ok(Rule::RequireSeed(Box::new(SeedRule {
        mode,
        keys,
        nonce,
        parameters,
        models: digests.map(models).transpose()?,
        logged,
    })))
}

/// Parts of a question, which a policy compares or says that it does not.
const PARTS: [&str; 3] = ["nonce", "parameters", "models"];

fn parameters(table: &mut Table) -> Result<Parameters, Error> {
    let mut content = Table {
        content: table.table("parameters")?,
        place: format!("{}: parameters", table.place),
    };
    let decode = decode(&mut content)?;
    let template = content.optional_text("template")?;
    let tokenizer = content.optional_text("tokenizer")?;
    content.require_empty()?;
    Ok((decode, template, tokenizer))
}

/// Reads the members of a rule about hardware, which no rule here judges.
fn hardware(content: Content) -> Result<(), Error> {
    const FLAGS: [&str; 7] = [
        "cached_keys",
        "debug",
        "dynamic_platform",
        "migration",
        "require_model",
        "require_revocation",
        "smt",
    ];
    const NUMBERS: [&str; 3] = ["gpus", "max_vmpl", "min_evaluation"];
    const LISTS: [&str; 6] = [
        "advisories",
        "families",
        "generations",
        "platforms",
        "simulators",
        "statuses",
    ];
    for (key, value) in content {
        let name = key.as_str();
        let are_texts = |items: &[Value]| !items.is_empty() && items.iter().all(Value::is_str);
        let fits = match &value {
            Value::Boolean(_) => FLAGS.contains(&name),
            Value::Integer(_) => NUMBERS.contains(&name),
            Value::String(nonce) => name == "nonce" && is_hex(&nonce.to_ascii_lowercase(), 64),
            Value::Array(items) if name == "measurements" => {
                !items.is_empty() && items.iter().all(Value::is_table)
            }
            Value::Array(items) => LISTS.contains(&name) && are_texts(items),
            Value::Table(_) => name == "min_tcb",
            Value::Float(_) | Value::Datetime(_) => false,
        };
        let known = ["measurements", "min_tcb", "nonce"];
        let known = known.iter().chain(&FLAGS).chain(&NUMBERS).chain(&LISTS);
        if !known.into_iter().any(|known| *known == name) {
            let name = quoted(&shorten(name, 64));
            return Err(format_error(format!("unknown key {name}")));
        }
        if !fits {
            let message = format!("key {} is of another type, or empty", quoted(name));
            return Err(format_error(message));
        }
    }
    Ok(())
}
