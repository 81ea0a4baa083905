//! From a statement's commitments to the integers that a tier speaks of, and back.
//!
//! Spec: spec/v1/receipt.md, check 14. What tiers share: the program, the input that the caller or the receipt gives,
//! and the comparison of every value with its commitment.

use std::sync::Arc;

use veridical_program::boundary::{Received, decode, encode};
use veridical_program::{Program, TensorInfo};

use crate::bundle::Receipt;
use crate::commitment::{
    Dtype, Field, SALT_BYTES, Tensor, Tensors, tensors_from_bytes, tensors_to_bytes,
};
use crate::error::{Error, Kind};
use crate::seed::{Sampler, drawn_of};
use crate::text::{hex, quoted};
use crate::verifier::given::Arguments;

/// One receipt with what the caller gave; failures are the tier's own error.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) receipt: &'a Receipt,
    pub(super) given: &'a Arguments,
    /// What the tier does, for messages.
    pub(super) action: &'static str,
    pub(super) error: Kind,
}

/// Integer tensors of a run in the order of the program, and how many items they hold.
pub(super) struct Integers {
    pub(super) values: Vec<Vec<i32>>,
    pub(super) batch: usize,
}

impl<'a> Opening<'a> {
    /// The tier's own error.
    pub(super) fn refuse(&self, message: impl Into<String>) -> Error {
        Error::new(self.error, message).of("tier")
    }

    /// The caller's program, which is the stated one.
    pub(super) fn program(&self) -> Result<&'a Arc<Program>, Error> {
        let model = &self.receipt.statement.model;
        let Some(program) = &self.given.program else {
            let message = format!("{} needs program {model}", self.action);
            return Err(Error::new(Kind::ProgramMissing, message).of("tier"));
        };
        if format!("sha256:{}", hex(program.digest())) != *model {
            return Err(self.refuse("the program is another one").at("model.digest"));
        }
        Ok(program)
    }

    /// The integers of the input, checked against every commitment to it, and their canonical bytes.
    pub(super) fn encoded_input(&self) -> Result<(Integers, Vec<u8>), Error> {
        let statement = &self.receipt.statement;
        let program = self.program()?;
        if !statement.template.is_empty() || !statement.tokenizer.is_empty() {
            let message = "a template or tokenizer stands between input and output, and this version \
                           cannot apply them";
            let error = Error::new(Kind::Undecided, message);
            return Err(error.at("statement.parameters").of("tier"));
        }
        let revealed;
        let inputs = if let Some(inputs) = &self.given.input {
            inputs
        } else {
            revealed = self.revealed_input()?;
            &revealed
        };
        self.require_opens(Field::InputReceived, inputs)?;
        self.require_opens(Field::InputForwarded, inputs)?;
        let (integers, saturated) = self.guarded("encoding the input", encoded(program, inputs))?;
        let stated = statement.saturated;
        if saturated != stated {
            let message = format!("{saturated} elements saturate, the statement says {stated}");
            return Err(self.refuse(message).at("input.saturated"));
        }
        let bytes = self.require_opens(Field::InputIntegers, &named_inputs(program, &integers))?;
        Ok((integers, bytes))
    }

    /// Compares integer outputs with every commitment to them; returns how many there are.
    pub(super) fn require_outputs(&self, outputs: &Tensors) -> Result<u64, Error> {
        let statement = &self.receipt.statement;
        let program = self.program()?;
        self.require_opens(Field::OutputIntegers, outputs)?;
        let count = outputs
            .values()
            .map(Tensor::len)
            .fold(0, u64::saturating_add);
        if count != statement.count {
            let message = format!(
                "{count} output elements, the statement says {}",
                statement.count
            );
            return Err(self.refuse(message).at("output.count"));
        }
        let decoded = self.guarded("decoding the output", self.decoded(program, outputs))?;
        self.require_opens(Field::OutputDecoded, &decoded)?;
        Ok(count)
    }

    /// Fails unless the tensors open the commitment of a field; returns their canonical bytes.
    fn require_opens(&self, field: Field, tensors: &Tensors) -> Result<Vec<u8>, Error> {
        let commitment = self.receipt.statement.commitment(field);
        let salt = self.receipt.salt(field);
        if commitment.is_salted && salt.len() != SALT_BYTES {
            let message = "the commitment is salted and its salt was not revealed";
            let error = Error::new(Kind::RevealMissing, message);
            return Err(error.at(field.name()).of("tier"));
        }
        let action = format!("encoding {}", field.name());
        let content = self.guarded(&action, tensors_to_bytes(tensors))?;
        if !commitment.opens_to(field, &content, salt) {
            let message = format!("{} gives another value", self.action);
            return Err(self.refuse(message).at(field.name()));
        }
        Ok(content)
    }

    /// The outcome of one step on values that the receipt brought; its failure is a rejection.
    pub(super) fn guarded<T>(&self, action: &str, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.map_err(|error| {
            let kind = error.kind;
            // Verdicts, or a defect, which is none.
            if kind.is_undecided() || kind.is_evidence() || kind == Kind::Internal {
                return error;
            }
            self.refuse(format!("{action} failed: {error}"))
        })
    }

    /// The answer: real values, or what the seed draws from them.
    fn decoded(&self, program: &Program, outputs: &Tensors) -> Result<Tensors, Error> {
        let statement = &self.receipt.statement;
        let sampler = Sampler::of(&statement.decode)?;
        let drawn = drawn_of(statement)?;
        let mut decoded = decoded(program, outputs)?;
        if let Some((sampler, drawn)) = sampler.zip(drawn) {
            sampler.apply(program, outputs, &drawn.value, &mut decoded)?;
        }
        Ok(decoded)
    }

    fn revealed_input(&self) -> Result<Tensors, Error> {
        let reveal = self.receipt.reveals.get(&Field::InputReceived);
        if let Some(reveal) = reveal.filter(|reveal| !reveal.content.is_empty()) {
            let read = tensors_from_bytes(&reveal.content, "tensors");
            self.guarded("reading the revealed input", read)
        } else {
            let message = format!(
                "{} needs the input: the receipt does not reveal it and none was given",
                self.action
            );
            let error = Error::new(Kind::RevealMissing, message);
            Err(error.at(Field::InputReceived.name()).of("tier"))
        }
    }
}

fn mistake(message: String) -> Error {
    Error::new(Kind::Input, message).of("argument")
}

/// Looks up a tensor and checks its shape; returns its batch size.
fn lookup<'t>(
    tensors: &'t Tensors,
    (what, name): (&str, &str),
    info: &TensorInfo,
    batch: &mut Option<usize>,
) -> Result<&'t Tensor, Error> {
    let shown = quoted(name);
    let tensor = tensors
        .get(name)
        .ok_or_else(|| mistake(format!("{what} {shown} is missing")))?;
    let wrong = || {
        let (found, expected) = (&tensor.shape, &info.shape);
        mistake(format!(
            "{what} {shown} has shape {found:?}, expected a batch of {expected:?}"
        ))
    };
    let (items, shape) = tensor.shape.split_first().ok_or_else(wrong)?;
    let expected = info.shape.iter().map(|length| u64::try_from(*length).ok());
    if !shape.iter().map(|length| Some(*length)).eq(expected) {
        return Err(wrong());
    }
    let items = usize::try_from(*items).map_err(|_| wrong())?;
    match *batch.get_or_insert(items) {
        first if first == items => Ok(tensor),
        first => Err(mistake(format!(
            "{what} {shown} has a batch of {items}, another tensor one of {first}"
        ))),
    }
}

/// Fails if there is a tensor that nobody asked for.
fn no_others<'n>(
    tensors: &Tensors,
    what: &str,
    known: &(impl Iterator<Item = &'n str> + Clone),
) -> Result<(), Error> {
    let foreign = tensors
        .keys()
        .find(|name| known.clone().all(|known| known != name.as_str()));
    match foreign {
        None => Ok(()),
        Some(name) => Err(mistake(format!("there is no {what} {}", quoted(name)))),
    }
}

/// Integers of real inputs, and how many elements were clamped.
fn encoded(program: &Program, inputs: &Tensors) -> Result<(Integers, u64), Error> {
    let mut saturated = 0_u64;
    let integers = each_input(program, inputs, |index, tensor, info| {
        let mut values = Vec::new();
        if let Some(input) = program.graph().inputs.get(index) {
            let clamped = with_elements(tensor, |received| {
                encode(input, info, received, &mut values)
            });
            let clamped = clamped
                .map_err(|error| Error::new(Kind::Input, error.to_string()).of(error.name()))?;
            saturated = saturated.saturating_add(clamped);
        }
        Ok(values)
    })?;
    Ok((integers, saturated))
}

/// Reads every input of a program; there must be no other.
fn each_input(
    program: &Program,
    inputs: &Tensors,
    mut read: impl FnMut(usize, &Tensor, &TensorInfo) -> Result<Vec<i32>, Error>,
) -> Result<Integers, Error> {
    let graph = program.graph();
    if inputs.len() != graph.inputs.len() {
        let names = graph.inputs.iter().map(|i| i.name.as_str());
        no_others(inputs, "input", &names)?;
    }
    let mut batch = None;
    let mut values = Vec::new();
    for (index, (input, info)) in graph.inputs.iter().zip(&graph.tensors).enumerate() {
        let tensor = lookup(inputs, ("input", &input.name), info, &mut batch)?;
        values.push(read(index, tensor, info)?);
    }
    let batch = batch.unwrap_or(1);
    Ok(Integers { values, batch })
}

fn only_integers(tensor: &Tensor) -> Result<Vec<i32>, Error> {
    let integers = tensor.integers();
    integers.ok_or_else(|| mistake("integers of a program are i32".to_owned()))
}

/// Integer inputs by name to inputs in the order of the program.
pub(super) fn integer_inputs(program: &Program, inputs: &Tensors) -> Result<Integers, Error> {
    each_input(program, inputs, |_, tensor, _| only_integers(tensor))
}

/// The same for outputs.
pub(super) fn integer_outputs(program: &Program, outputs: &Tensors) -> Result<Integers, Error> {
    let graph = program.graph();
    let names = graph.outputs.iter().map(|o| o.name.as_str());
    no_others(outputs, "output", &names)?;
    let mut batch = None;
    let mut values = Vec::new();
    for output in &graph.outputs {
        if let Some(info) = graph.tensors.get(output.tensor) {
            let tensor = lookup(outputs, ("output", &output.name), info, &mut batch)?;
            values.push(only_integers(tensor)?);
        }
    }
    let batch = batch.unwrap_or(1);
    Ok(Integers { values, batch })
}

fn shape_of(batch: usize, info: &TensorInfo) -> Vec<u64> {
    let lengths = core::iter::once(&batch).chain(&info.shape);
    lengths
        .map(|length| u64::try_from(*length).unwrap_or(u64::MAX))
        .collect()
}

fn named_inputs(program: &Program, integers: &Integers) -> Tensors {
    let graph = program.graph();
    let inputs = graph
        .inputs
        .iter()
        .zip(&graph.tensors)
        .zip(&integers.values);
    inputs
        .map(|((input, info), values)| {
            let shape = shape_of(integers.batch, info);
            (input.name.clone(), Tensor::of_i32(shape, values))
        })
        .collect()
}

/// Integer outputs in the order of the program, by name.
pub(super) fn named_outputs(program: &Program, values: &[Vec<i32>], batch: usize) -> Tensors {
    let graph = program.graph();
    let outputs = graph.outputs.iter().zip(values);
    outputs
        .filter_map(|(output, values)| {
            let shape = shape_of(batch, graph.tensors.get(output.tensor)?);
            Some((output.name.clone(), Tensor::of_i32(shape, values)))
        })
        .collect()
}

/// Real values of integer outputs.
fn decoded(program: &Program, outputs: &Tensors) -> Result<Tensors, Error> {
    let integers = integer_outputs(program, outputs)?;
    let named = program.graph().outputs.iter().zip(&integers.values);
    named
        .map(|(output, values)| {
            let shape = outputs.get(&output.name).map(|tensor| tensor.shape.clone());
            let reals = values
                .iter()
                .map(|q| decode(*q, output.decode).to_le_bytes());
            let tensor = Tensor {
                dtype: Dtype::F64,
                shape: shape.unwrap_or_default(),
                elements: reals.flatten().collect(),
            };
            Ok((output.name.clone(), tensor))
        })
        .collect()
}

/// Calls `body` with the elements of a tensor.
fn with_elements<T>(tensor: &Tensor, body: impl FnOnce(Received<'_>) -> T) -> T {
    macro_rules! elements {
        ($kind:ty, $variant:ident) => {{
            let words = tensor.elements.as_chunks::<{ size_of::<$kind>() }>().0;
            let elements: Vec<$kind> = words
                .iter()
                .map(|word| <$kind>::from_le_bytes(*word))
                .collect();
            body(Received::$variant(&elements))
        }};
    }
    match tensor.dtype {
        Dtype::Bool | Dtype::U8 => body(Received::U8(&tensor.elements)),
        Dtype::I8 => elements!(i8, I8),
        Dtype::I16 => elements!(i16, I16),
        Dtype::I32 => elements!(i32, I32),
        Dtype::I64 => elements!(i64, I64),
        Dtype::U16 => elements!(u16, U16),
        Dtype::U32 => elements!(u32, U32),
        Dtype::U64 => elements!(u64, U64),
        Dtype::F32 => elements!(f32, F32),
        Dtype::F64 => elements!(f64, F64),
    }
}
