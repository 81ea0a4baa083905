//! Graph to canonical JSON.

use crate::graph::{ConstKind, Encode, Graph, Node, Op, Window};
use crate::json::{self, Value};

/// Writes the canonical JSON of a graph.
///
/// For a graph that [`super::decode`] returned this is the text it was decoded from.
pub fn encode(graph: &Graph) -> Vec<u8> {
    let consts = graph.consts.iter().map(|c| {
        let kind = match c.kind {
            ConstKind::Weight => "weight",
            ConstKind::Table => "table",
        };
        object([
            ("dtype", text(c.dtype.name())),
            ("kind", text(kind)),
            ("shape", sizes(&c.shape)),
        ])
    });
    let inputs = graph.inputs.iter().map(|i| {
        let encode = match i.encode {
            Encode::Real { mul, shift } => object([
                ("kind", text("real")),
                ("mul", int(mul)),
                ("shift", int(shift)),
            ]),
            Encode::Integer => object([("kind", text("integer"))]),
        };
        object([("encode", encode), ("name", text(&i.name))])
    });
    let outputs = graph.outputs.iter().map(|o| {
        let decode = object([("mul", int(o.decode.mul)), ("shift", int(o.decode.shift))]);
        object([
            ("decode", decode),
            ("name", text(&o.name)),
            ("tensor", size(o.tensor)),
        ])
    });
    let tensors = graph.tensors.iter().map(|t| {
        object([
            ("hi", int(t.hi)),
            ("lo", int(t.lo)),
            ("shape", sizes(&t.shape)),
        ])
    });
    json::encode(&object([
        ("consts", Value::List(consts.collect())),
        ("format", int(1)),
        ("inputs", Value::List(inputs.collect())),
        ("nodes", Value::List(graph.nodes.iter().map(node).collect())),
        ("outputs", Value::List(outputs.collect())),
        ("salted", flag(graph.salted)),
        ("tensors", Value::List(tensors.collect())),
    ]))
}

fn node(node: &Node) -> Value {
    let mut members = vec![
        ("c", sizes(&node.consts)),
        ("in", sizes(&node.inputs)),
        ("op", text(node.op.name())),
    ];
    members.extend(attributes(&node.op));
    object(members)
}

fn attributes(op: &Op) -> Vec<(&'static str, Value)> {
    match op {
        Op::Conv { window: w, groups } => {
            let mut members = window(w);
            members.push(("groups", size(*groups)));
            members
        }
        Op::Matmul { transpose_b } => vec![("transpose_b", flag(*transpose_b))],
        Op::Table {
            shift,
            first,
            round,
        } => {
            vec![
                ("shift", int(*shift)),
                ("first", int(*first)),
                ("round", flag(*round)),
            ]
        }
        Op::Shift { shift } | Op::SoftmaxNumerator { shift } => vec![("shift", int(*shift))],
        Op::Clamp { lo, hi } => vec![("lo", int(*lo)), ("hi", int(*hi))],
        Op::Add { coeff } => vec![("coeff", list(coeff.iter().map(|&c| int(c))))],
        Op::LayerNorm {
            shift,
            u,
            fx,
            epsilon,
            centered,
        } => vec![
            ("shift", int(*shift)),
            ("u", int(*u)),
            ("fx", int(*fx)),
            ("epsilon", int(*epsilon)),
            ("centered", flag(*centered)),
        ],
        Op::Normalize { digits } => vec![("digits", list(digits.iter().map(|&d| int(d))))],
        Op::MaxPool(w) | Op::SumPool(w) => {
            let mut members = window(w);
            members.push(("kernel", sizes(&w.kernel)));
            members
        }
        Op::ReduceSum { axes } | Op::ReduceMax { axes } => vec![("axes", sizes(axes))],
        Op::TopK { k, values } => vec![("k", size(*k)), ("values", flag(*values))],
        Op::Reshape { shape } | Op::Expand { shape } => vec![("shape", sizes(shape))],
        Op::Transpose { perm } => vec![("perm", sizes(perm))],
        Op::Concat { axis } => vec![("axis", size(*axis))],
        Op::Slice {
            axis,
            start,
            stop,
            step,
        } => vec![
            ("axis", size(*axis)),
            ("start", size(*start)),
            ("stop", size(*stop)),
            ("step", size(*step)),
        ],
        Op::Pad {
            before,
            after,
            value,
        } => {
            vec![
                ("before", sizes(before)),
                ("after", sizes(after)),
                ("value", int(*value)),
            ]
        }
        Op::Linear | Op::Affine | Op::Mul | Op::WeightedMean | Op::Argmax | Op::Gather => vec![],
    }
}

fn window(w: &Window) -> Vec<(&'static str, Value)> {
    vec![
        ("stride", sizes(&w.stride)),
        ("pad", sizes(&w.pad)),
        ("dilation", sizes(&w.dilation)),
    ]
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
    )
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::List(items.collect())
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn int(value: impl Into<i64>) -> Value {
    Value::Int(value.into())
}

fn flag(value: bool) -> Value {
    int(i64::from(value))
}

/// Sizes and ids have far fewer than 53 bits.
fn size(value: usize) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn sizes(values: &[usize]) -> Value {
    list(values.iter().map(|&v| size(v)))
}
