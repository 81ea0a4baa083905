//! Section 2: the file. What each defect of bytes is called; vectors/program/broken has more.

use crate::draft::Draft;
use std::collections::BTreeMap;
use veridical_program::merkle::{hex, tree};
use veridical_program::{ContainerError, Op, Program, ProgramError, codec};

fn base() -> Program {
    let mut d = Draft::with_input(&[2], 0, 3);
    let w = d.i8(&[4], vec![1, 2, 3, 4]);
    let b = d.i16(&[4], vec![1, 2, 3, 4]);
    d.wide(Op::Gather, &[0], &[w], &[2]);
    d.wide(Op::Gather, &[0], &[b], &[2]);
    d.load().unwrap()
}

/// Replaces text of the header, which is written again with its length.
fn edited(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{from} is not in {header}");
    let header = header.replacen(from, to, 1);
    [
        &u64::try_from(header.len()).unwrap().to_le_bytes()[..],
        header.as_bytes(),
        data,
    ]
    .concat()
}

#[track_caller]
fn refused(file: &[u8], check: &str) {
    let error = Program::from_bytes(file).unwrap_err();
    assert_eq!(error.check(), check, "{error}");
}

#[test]
fn the_base_survives_being_edited_into_itself() {
    let program = base();
    let file = edited(&program.to_bytes(), "\"I8\"", "\"I8\"");
    assert_eq!(Program::from_bytes(&file).unwrap(), program);
}

#[test]
fn each_defect_of_the_header_has_its_name() {
    let file = base().to_bytes();
    let cases = [
        ("\"I8\"", "\"I16\"", "Declaration"),
        ("\"shape\":[4]", "\"shape\":[2,2]", "Declaration"),
        ("[0,8]", "[0,7]", "Offset"),
        ("[0,8]", "[1,8]", "Offset"),
        ("[8,12]", "[8,13]", "DataSize"),
        ("[8,12]", "[8,11]", "DataSize"),
        ("[8,12]", "[8]", "Form"),
        ("[8,12]", "[12,8]", "Offset"),
        ("[8,12]", "[8,12.0]", "Json"),
        ("[8,12]", "[8,-12]", "Form"),
        ("\"c0\"", "\"c1\"", "Json"),
        ("\"c0\"", "\"c2\"", "MissingKey"),
        ("\"c0\"", "\"c00\"", "MissingKey"),
        ("\"dtype\":\"I8\"", "\"dtype\":\"I8\",\"x\":1", "UnknownKey"),
        ("\"dtype\":\"I8\",", "", "MissingKey"),
        ("\"format\":", "\"extra\":\"\",\"format\":", "UnknownKey"),
        (
            "\"format\":",
            "\"format\":\"veridical-program/1\",\"format\":",
            "Json",
        ),
        ("veridical-program/1", "veridical-program/2", "Format"),
        ("{\"__metadata__\"", " {\"__metadata__\"", "HeaderEnds"),
        ("{\"__metadata__\"", "{\"metadata\"", "MissingKey"),
        ("\\\"format\\\":1", "\\\"format\\\":2", "Limit"),
        ("\\\"salted\\\":0", "\\\"salted\\\":1", "MissingKey"),
    ];
    for (from, to, check) in cases {
        refused(&edited(&file, from, to), check);
    }
}

#[test]
fn a_tensor_that_the_graph_does_not_declare_is_refused() {
    let file = base().to_bytes();
    let entry = "\"extra\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[12,12]},\"c0\"";
    refused(&edited(&file, "\"c0\"", entry), "UnknownKey");
}

#[test]
fn a_weight_root_belongs_to_keys_alone() {
    let program = base();
    let root = format!(
        "\"weight_root\":\"{}\",\"format\"",
        hex(program.weight_root())
    );
    refused(
        &edited(&program.to_bytes(), "\"format\"", &root),
        "UnknownKey",
    );
    let key = program.to_vkey_bytes();
    let root = hex(program.weight_root());
    refused(&edited(&key, &root, &root.to_uppercase()), "WeightRootForm");
    refused(&edited(&key, &root, &root[1..]), "WeightRootForm");
    refused(
        &edited(&key, "veridical-vkey/1", "veridical-program/1"),
        "UnknownKey",
    );
}

#[test]
fn another_weight_root_is_another_model() {
    let program = base();
    let other = format!("{:064x}", 7);
    let key = edited(
        &program.to_vkey_bytes(),
        &hex(program.weight_root()),
        &other,
    );
    assert_ne!(
        Program::from_bytes(&key).unwrap().digest(),
        program.digest()
    );
}

#[test]
fn a_key_without_weights_has_the_root_of_the_empty_tree() {
    let mut d = Draft::with_input(&[2], 0, 3);
    d.wide(Op::Argmax, &[0], &[], &[1]);
    let program = d.load().unwrap();
    assert_eq!(program.weight_root(), &tree(&[]));
    let key = program.to_vkey_bytes();
    assert_eq!(
        Program::from_bytes(&key).unwrap().digest(),
        program.digest()
    );
    let other = format!("{:064x}", 7);
    refused(
        &edited(&key, &hex(program.weight_root()), &other),
        "WeightRoot",
    );
}

#[test]
fn aliases_are_plain_strings_and_outside_the_digest() {
    let graph = base();
    let constants = || (0..2).map(|i| graph.constant(i).unwrap().clone()).collect();
    let with = |key: &str, value: &str| {
        let aliases = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Program::new(&codec::encode(graph.graph()), constants(), None, aliases)
    };
    let program = with("onnx-sha256", "00ff").unwrap();
    assert_eq!(program.digest(), graph.digest());
    assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
    for (key, value) in [("a\"", "b"), ("a", "\\"), ("a", "\u{e9}"), ("a", "?\n")] {
        let error = with(key, value).unwrap_err();
        assert!(
            matches!(error, ProgramError::Container(ContainerError::Aliases(_))),
            "{error}"
        );
    }
}
