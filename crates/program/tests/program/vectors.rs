//! Reads vectors/program: what is valid has the digest stated there, what is broken is refused.

use std::fs;
use std::path::{Path, PathBuf};
use veridical_program::json::{self, Value};
use veridical_program::merkle::hex;
use veridical_program::{Program, ProgramError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/program")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

fn text(object: &Value, key: &str) -> String {
    match object {
        Value::Object(members) => match &members[key] {
            Value::Text(text) => text.clone(),
            other => panic!("{key} is {other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn described(path: &Path) -> Value {
    json::parse(&fs::read(path.with_extension("json")).unwrap(), 64).unwrap()
}

#[test]
fn every_valid_program_has_the_stated_digest() {
    let paths = files(&folder(), "vprog");
    assert!(paths.len() > 30);
    for path in paths {
        let program = Program::from_bytes(&fs::read(&path).unwrap()).unwrap();
        let expected = described(&path);
        let digest = format!("sha256:{}", hex(program.digest()));
        assert_eq!(digest, text(&expected, "digest"), "{}", path.display());
        assert_eq!(hex(program.weight_root()), text(&expected, "weight_root"));
    }
}

#[test]
fn every_valid_program_is_written_so_that_it_reads_the_same() {
    for path in files(&folder(), "vprog") {
        let program = Program::from_bytes(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
        let vkey = Program::from_bytes(&program.to_vkey_bytes()).unwrap();
        assert!(vkey.is_vkey());
        assert_eq!(vkey.digest(), program.digest());
        assert_eq!(vkey.salt(), None);
    }
}

#[test]
fn every_key_has_the_digest_of_its_program() {
    let keys = files(&folder(), "vkey");
    assert!(!keys.is_empty());
    for path in keys {
        let key = Program::from_bytes(&fs::read(&path).unwrap()).unwrap();
        assert!(key.is_vkey());
        assert_eq!(
            format!("sha256:{}", hex(key.digest())),
            text(&described(&path), "digest")
        );
    }
}

#[test]
fn every_broken_program_is_refused() {
    let paths = files(&folder().join("broken"), "vprog");
    assert!(paths.len() > 100);
    for path in paths {
        match Program::from_bytes(&fs::read(&path).unwrap()) {
            // A key under the name of a program: this reader takes both, and says which it is.
            Ok(program) => assert!(program.is_vkey(), "{} is accepted", path.display()),
            Err(
                ProgramError::Node { .. } | ProgramError::Graph(_) | ProgramError::Container(_),
            ) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
