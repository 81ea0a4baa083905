//! Canonical JSON to graph: types, words and limits, nothing that relates two nodes.

use super::fields::Field;
use super::{
    MAX_CONST_RANK, MAX_DEPTH, MAX_DIMENSION, MAX_NODES, MAX_OPERANDS, MAX_PORTS, MAX_RANK, op,
};
use crate::constant::Dtype;
use crate::error::GraphError;
use crate::graph::{
    ConstInfo, ConstKind, Decode, Encode, Graph, Input, M, Node, Op, Output, TensorInfo,
};
use crate::json;

/// Parses the canonical JSON of a graph.
///
/// # Errors
/// [`GraphError::Json`] if the text is not canonical, otherwise the value that breaks section 3.
pub fn decode(text: &[u8]) -> Result<Graph, GraphError> {
    let value = json::parse_canonical(text, MAX_DEPTH).map_err(GraphError::Json)?;
    let mut graph = Field::root(value).object()?;
    graph.take("format")?.int::<i64>(1, 1)?;
    let mut decoded = Graph {
        salted: graph.take("salted")?.flag()?,
        consts: each(graph.take("consts")?, (0, MAX_NODES), constant)?,
        inputs: each(graph.take("inputs")?, (0, MAX_PORTS), input)?,
        nodes: each(graph.take("nodes")?, (0, MAX_NODES), node)?,
        outputs: each(graph.take("outputs")?, (1, MAX_PORTS), output)?,
        tensors: each(
            graph.take("tensors")?,
            (0, MAX_NODES.saturating_add(MAX_PORTS)),
            tensor,
        )?,
    };
    graph.end()?;
    for node in &mut decoded.nodes {
        if let Op::Conv { window, .. } = &mut node.op {
            window.kernel = kernel(&decoded.consts, &node.consts);
        }
    }
    Ok(decoded)
}

/// Kernel size of a convolution, which its weight `(O, C / groups, KH, KW)` has; zeros if there is
/// no such weight, which the conditions of the node reject.
fn kernel(consts: &[ConstInfo], ids: &[usize]) -> [usize; 2] {
    match ids
        .first()
        .and_then(|&id| consts.get(id))
        .map(|c| c.shape.as_slice())
    {
        Some(&[_, _, height, width]) => [height, width],
        _ => [0, 0],
    }
}

fn each<T>(
    field: Field,
    (min, max): (i64, i64),
    item: impl Fn(Field) -> Result<T, GraphError>,
) -> Result<Vec<T>, GraphError> {
    field.list(min, max)?.into_iter().map(item).collect()
}

fn word<T>(field: Field, known: impl Fn(&str) -> Option<T>) -> Result<T, GraphError> {
    let path = field.path().to_owned();
    let value = field.text()?;
    known(&value).ok_or(GraphError::Word { path, value })
}

fn constant(field: Field) -> Result<ConstInfo, GraphError> {
    let mut f = field.object()?;
    let dtype = word(f.take("dtype")?, |w| match w {
        "i8" => Some(Dtype::I8),
        "i16" => Some(Dtype::I16),
        "i32" => Some(Dtype::I32),
        _ => None,
    })?;
    let kind = word(f.take("kind")?, |w| match w {
        "weight" => Some(ConstKind::Weight),
        "table" => Some(ConstKind::Table),
        _ => None,
    })?;
    let shape = f
        .take("shape")?
        .ints((1, MAX_CONST_RANK), (1, MAX_DIMENSION))?;
    f.end()?;
    Ok(ConstInfo { dtype, kind, shape })
}

fn name(field: Field) -> Result<String, GraphError> {
    let path = field.path().to_owned();
    let name = field.text()?;
    let length = i64::try_from(name.len()).unwrap_or(i64::MAX);
    if (1..=128).contains(&length) {
        return Ok(name);
    }
    Err(GraphError::Limit {
        path: format!("length of {path}"),
        value: length,
        lo: 1,
        hi: 128,
    })
}

fn input(field: Field) -> Result<Input, GraphError> {
    let mut f = field.object()?;
    let name = name(f.take("name")?)?;
    let mut e = f.take("encode")?.object()?;
    let is_real = word(e.take("kind")?, |w| match w {
        "real" => Some(true),
        "integer" => Some(false),
        _ => None,
    })?;
    let encode = if is_real {
        let mul = e.take("mul")?.int(1, i64::from(i32::MAX))?;
        Encode::Real {
            mul,
            shift: e.take("shift")?.int(-96, 96)?,
        }
    } else {
        Encode::Integer
    };
    e.end()?;
    f.end()?;
    Ok(Input { name, encode })
}

fn output(field: Field) -> Result<Output, GraphError> {
    let mut f = field.object()?;
    let name = name(f.take("name")?)?;
    let tensor = f.take("tensor")?.int(0, i64::from(u32::MAX))?;
    let mut d = f.take("decode")?.object()?;
    let mul = d.take("mul")?.int(1, (1 << 22) - 1)?;
    let decode = Decode {
        mul,
        shift: d.take("shift")?.int(-96, 96)?,
    };
    d.end()?;
    f.end()?;
    Ok(Output {
        name,
        tensor,
        decode,
    })
}

fn tensor(field: Field) -> Result<TensorInfo, GraphError> {
    let mut f = field.object()?;
    let info = TensorInfo {
        shape: f.take("shape")?.ints((1, MAX_RANK), (1, MAX_DIMENSION))?,
        lo: f.take("lo")?.int(M.saturating_neg(), M)?,
        hi: f.take("hi")?.int(M.saturating_neg(), M)?,
    };
    f.end()?;
    Ok(info)
}

fn node(field: Field) -> Result<Node, GraphError> {
    let path = field.path().to_owned();
    let mut f = field.object()?;
    let ids = (0, i64::from(u32::MAX));
    let inputs = f.take("in")?.ints((0, MAX_OPERANDS), ids)?;
    let consts = f.take("c")?.ints((0, MAX_OPERANDS), ids)?;
    let name = f.take("op")?.text()?;
    let Some(op) = op::decode(&name, &mut f)? else {
        return Err(GraphError::Word {
            path: format!("{path}.op"),
            value: name,
        });
    };
    f.end()?;
    Ok(Node { op, inputs, consts })
}
