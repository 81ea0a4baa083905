//! A program under construction, for tests; any part can be made wrong before it is loaded.

use std::collections::BTreeMap;
use veridical_program::{
    ConstData, ConstInfo, ConstKind, Decode, Encode, Graph, Input, M, Node, Op, Output, Program,
    ProgramError, TensorInfo, Window, codec,
};

/// Graph and constants, freely editable.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) graph: Graph,
    pub(crate) constants: Vec<ConstData>,
    pub(crate) salt: Option<[u8; 32]>,
}

impl Draft {
    pub(crate) fn new() -> Self {
        let graph = Graph {
            salted: false,
            consts: vec![],
            inputs: vec![],
            nodes: vec![],
            outputs: vec![],
            tensors: vec![],
        };
        Self {
            graph,
            constants: vec![],
            salt: None,
        }
    }

    /// A draft with one integer input.
    pub(crate) fn with_input(shape: &[usize], lo: i32, hi: i32) -> Self {
        let mut draft = Self::new();
        draft.input(shape, lo, hi);
        draft
    }

    pub(crate) fn input(&mut self, shape: &[usize], lo: i32, hi: i32) -> usize {
        let name = format!("in{}", self.graph.inputs.len());
        self.graph.inputs.push(Input {
            name,
            encode: Encode::Integer,
        });
        self.tensor(shape, lo, hi)
    }

    fn tensor(&mut self, shape: &[usize], lo: i32, hi: i32) -> usize {
        self.graph.tensors.push(TensorInfo {
            shape: shape.to_vec(),
            lo,
            hi,
        });
        self.graph.tensors.len() - 1
    }

    pub(crate) fn constant(
        &mut self,
        kind: ConstKind,
        shape: &[usize],
        elements: ConstData,
    ) -> usize {
        let dtype = elements.dtype();
        self.graph.consts.push(ConstInfo {
            dtype,
            kind,
            shape: shape.to_vec(),
        });
        self.constants.push(elements);
        self.constants.len() - 1
    }

    pub(crate) fn i8(&mut self, shape: &[usize], elements: Vec<i8>) -> usize {
        self.constant(ConstKind::Weight, shape, ConstData::I8(elements.into()))
    }

    pub(crate) fn i16(&mut self, shape: &[usize], elements: Vec<i16>) -> usize {
        self.constant(ConstKind::Weight, shape, ConstData::I16(elements.into()))
    }

    pub(crate) fn i32(&mut self, shape: &[usize], elements: Vec<i32>) -> usize {
        self.constant(ConstKind::Weight, shape, ConstData::I32(elements.into()))
    }

    pub(crate) fn table(&mut self, elements: Vec<i16>) -> usize {
        let shape = [elements.len()];
        self.constant(ConstKind::Table, &shape, ConstData::I16(elements.into()))
    }

    /// Appends a node; the result has the range given.
    pub(crate) fn node(
        &mut self,
        op: Op,
        inputs: &[usize],
        consts: &[usize],
        shape: &[usize],
        (lo, hi): (i32, i32),
    ) -> usize {
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            consts: consts.to_vec(),
        });
        self.tensor(shape, lo, hi)
    }

    /// The same with the widest range there is.
    pub(crate) fn wide(
        &mut self,
        op: Op,
        inputs: &[usize],
        consts: &[usize],
        shape: &[usize],
    ) -> usize {
        let m = i32::try_from(M).unwrap();
        self.node(op, inputs, consts, shape, (-m, m))
    }

    /// Publishes the last tensor.
    pub(crate) fn publish(&mut self) {
        let tensor = self.graph.tensors.len() - 1;
        let name = format!("out{}", self.graph.outputs.len());
        let decode = Decode { mul: 1, shift: 0 };
        self.graph.outputs.push(Output {
            name,
            tensor,
            decode,
        });
    }

    /// Checks everything, with the last tensor as an output if there is none.
    pub(crate) fn load(&self) -> Result<Program, ProgramError> {
        let mut draft = self.clone();
        if draft.graph.outputs.is_empty() {
            draft.publish();
        }
        let bytes = codec::encode(&draft.graph);
        Program::new(&bytes, draft.constants, draft.salt, BTreeMap::new())
    }

    /// Name of the check that rejects the draft, `accepted` if none does.
    pub(crate) fn check(&self) -> &'static str {
        self.load()
            .map_or_else(|error| error.check(), |_| "accepted")
    }
}

/// A window without padding, steps or dilation.
pub(crate) const fn window(kernel: [usize; 2]) -> Window {
    Window {
        kernel,
        stride: [1, 1],
        pad: [0; 4],
        dilation: [1, 1],
    }
}
