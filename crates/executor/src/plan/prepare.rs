//! The step of every node, and what it absorbs.

use std::sync::Arc;

use veridical_program::{ConstData, Graph, Node, Op, Program, TensorInfo, Window};

use super::fusion::{Readers, compose, map_of, widen};
use super::view::{self, View};
use super::{Keep, renames};
use crate::kernels::epilogue::{Map, Table};
use crate::kernels::vector::{Norm, Pooling};
use crate::steps::Step;
use crate::steps::attention::{Matrices, Product};
use crate::steps::broadcast::{Runs, starts};
use crate::steps::conv::{Conv, Geometry};
use crate::steps::layout::{Axis, Gather, Layout, Move};
use crate::steps::linear::Linear;
use crate::steps::oracle::Oracle;
use crate::steps::pointwise::{Factor, MapStep, Multiply, Sum, Term};
use crate::steps::pool::Pool;
use crate::steps::reduce::{Largest, Reduce};
use crate::steps::row::{LayerNorm, Mask, Normalize, SoftmaxNumerator};

/// A step before buffers are assigned.
pub(super) struct Draft {
    pub(super) node: usize,
    pub(super) tensor: usize,
    pub(super) operands: Vec<usize>,
    pub(super) step: Box<dyn Step>,
}

/// All steps in the order in which they run.
pub(super) fn drafts(program: &Arc<Program>, readers: &Readers, keep: Keep) -> Vec<Draft> {
    let graph = program.graph();
    let views = match keep {
        Keep::Outputs => view::operands(graph, readers),
        Keep::Everything => vec![None; graph.tensors.len()],
    };
    let mut absorbed = vec![false; graph.nodes.len()];
    let mut drafts = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let tensor = graph.tensor_of_node(id);
        if absorbed[id] || renames(program, id) || views[tensor].is_some() {
            continue;
        }
        let mut chain = Chain {
            map: map_of(program, node).unwrap_or(Map::Identity),
            nodes: vec![],
        };
        let mut place = None;
        if keep == Keep::Outputs && takes_map(&node.op) {
            let last = chain.follow(program, readers, tensor);
            if matches!(node.op, Op::Matmul { .. } | Op::WeightedMean)
                && let Some((reader, strides)) = view::result(graph, readers, last)
                // A transpose that its readers see through never has storage of its own.
                && views[graph.tensor_of_node(reader)].is_none()
            {
                chain.nodes.push(reader);
                place = Some(strides);
            }
        }
        let result = &graph.tensors[tensor];
        let site = Site {
            program,
            graph,
            node,
            result,
            views: &views,
            place,
        };
        let (tensor, step) = match (site.step(chain.map), chain.nodes.last()) {
            (Some(step), Some(&last)) => {
                chain
                    .nodes
                    .iter()
                    .for_each(|&reader| absorbed[reader] = true);
                (graph.tensor_of_node(last), step)
            }
            (Some(step), None) => (tensor, step),
            (None, _) => {
                let oracle = Oracle {
                    program: Arc::clone(program),
                    node: id,
                };
                (tensor, Box::new(oracle) as Box<dyn Step>)
            }
        };
        let source = |&t: &usize| views[t].as_ref().map_or(t, |view| view.source);
        drafts.push(Draft {
            node: id,
            tensor,
            operands: node.inputs.iter().map(source).collect(),
            step,
        });
    }
    drafts
}

/// Maps that follow a node, each the only reader of the one before.
struct Chain {
    map: Map,
    nodes: Vec<usize>,
}

impl Chain {
    /// Extends the chain as far as the maps can be composed; returns the last tensor.
    fn follow(&mut self, program: &Program, readers: &Readers, mut tensor: usize) -> usize {
        let graph = program.graph();
        while let Some(reader) = readers.only(tensor)
            && let Some(next) = map_of(program, &graph.nodes[reader])
            && let Some(both) = compose(&self.map, &next)
        {
            self.map = both;
            self.nodes.push(reader);
            tensor = graph.tensor_of_node(reader);
        }
        tensor
    }
}

/// Whether the step of an operation can map its results before it stores them.
fn takes_map(op: &Op) -> bool {
    matches!(
        op,
        Op::Linear
            | Op::Conv { .. }
            | Op::Matmul { .. }
            | Op::WeightedMean
            | Op::Add { .. }
            | Op::Affine
            | Op::Mul
            | Op::ReduceSum { .. }
            | Op::ReduceMax { .. }
            | Op::Table { .. }
            | Op::Shift { .. }
            | Op::Clamp { .. }
    )
}

/// A node with what it refers to.
struct Site<'a> {
    program: &'a Program,
    graph: &'a Graph,
    node: &'a Node,
    result: &'a TensorInfo,
    views: &'a [Option<View>],
    /// Strides of the result of a product, if it is written into its transpose.
    place: Option<Vec<usize>>,
}

impl<'a> Site<'a> {
    fn info(&self, i: usize) -> &'a TensorInfo {
        &self.graph.tensors[self.node.inputs[i]]
    }

    fn shape(&self, i: usize) -> &'a [usize] {
        &self.info(i).shape
    }

    fn constant(&self, c: usize) -> Option<&'a ConstData> {
        self.program.constant(*self.node.consts.get(c)?)
    }

    fn constant_shape(&self, c: usize) -> &'a [usize] {
        &self.graph.consts[self.node.consts[c]].shape
    }

    /// The fast step, if there is one for this node.
    fn step(&self, map: Map) -> Option<Box<dyn Step>> {
        match &self.node.op {
            Op::Linear => {
                let &[columns, depth] = self.constant_shape(0) else {
                    return None;
                };
                let (weight, bias) = (self.constant(0)?, self.constant(1)?);
                let rows = self.info(0).len() / depth;
                Some(Box::new(Linear::new(
                    weight,
                    bias,
                    rows,
                    [columns, depth],
                    map,
                )))
            }
            Op::Conv { window, groups } => self.conv(*window, *groups, map),
            Op::Matmul { transpose_b } => self.product(*transpose_b, None, map),
            Op::WeightedMean => self.product(false, Some(self.info(1).lo), map),
            Op::Table { .. } | Op::Shift { .. } | Op::Clamp { .. } => {
                // A node without a map of its own is left to the interpreter.
                map_of(self.program, self.node)?;
                let len = self.result.len();
                Some(Box::new(MapStep { map, len }))
            }
            Op::Add { coeff } => Some(self.add(coeff, map)),
            Op::Affine => self.affine(map),
            Op::Mul => {
                let runs = Runs::new(&self.result.shape, &[self.shape(0), self.shape(1)]);
                let items = [self.info(0).len(), self.info(1).len()];
                Some(Box::new(Multiply { runs, items, map }))
            }
            Op::SoftmaxNumerator { shift } => self.softmax_numerator(*shift),
            &Op::LayerNorm {
                shift,
                u,
                fx,
                epsilon,
                centered,
            } => {
                let norm = Norm {
                    shift,
                    u,
                    fx,
                    epsilon,
                    centered,
                };
                let width = *self.shape(0).last()?;
                Some(Box::new(LayerNorm {
                    norm,
                    rows: self.info(0).len() / width,
                    width,
                }))
            }
            Op::MaxPool(window) => self.pool(*window, false),
            Op::SumPool(window) => self.pool(*window, true),
            Op::Gather => {
                let rows = self.constant(0)?.clone();
                let width = self.constant_shape(0)[1..].iter().product();
                Some(Box::new(Gather {
                    rows,
                    width,
                    ids: self.info(0).len(),
                }))
            }
            Op::ReduceSum { axes } => self.reduce(axes, true, map),
            Op::ReduceMax { axes } => self.reduce(axes, false, map),
            Op::Argmax => self.largest(1, false),
            Op::TopK { k, values } => self.largest(*k, *values),
            Op::Normalize { digits } => {
                let width = *self.shape(0).last()?;
                let rows = self.info(0).len() / width;
                Some(Box::new(Normalize {
                    bits: digits[0] + digits[1],
                    rows,
                    width,
                }))
            }
            Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Expand { .. }
            | Op::Concat { .. }
            | Op::Slice { .. }
            | Op::Pad { .. } => Some(self.layout()),
        }
    }

    fn conv(&self, window: Window, groups: usize, map: Map) -> Option<Box<dyn Step>> {
        let &[ref leading @ .., channels, height, width] = self.shape(0) else {
            return None;
        };
        let &[.., outputs, rows, columns] = &self.result.shape[..] else {
            return None;
        };
        let geometry = Geometry {
            window,
            groups,
            images: leading.iter().product(),
            input: [channels, height, width],
            output: [outputs, rows, columns],
        };
        if !geometry.is_addressable() {
            return None;
        }
        Some(Box::new(Conv::new(
            self.constant(0)?,
            self.constant(1)?,
            geometry,
            map,
        )))
    }

    /// Strides of operand `i` in its storage.
    fn strides(&self, i: usize) -> Vec<usize> {
        let view = self.views[self.node.inputs[i]].as_ref();
        view.map_or_else(|| strides(self.shape(i)), |view| view.strides.clone())
    }

    fn product(&self, mut transposed: bool, mean: Option<i32>, map: Map) -> Option<Box<dyn Step>> {
        let (a, y) = (self.shape(0), &self.result.shape[..]);
        let &[.., rows, depth] = a else { return None };
        let (mut b, mut right) = (self.shape(1).to_vec(), self.strides(1));
        let last = right.len() - 1;
        if right[last] != 1 {
            // Stored the other way round: read as the transpose.
            right.swap(last - 1, last);
            b.swap(last - 1, last);
            transposed = !transposed;
        }
        let place = self.place.clone().unwrap_or_else(|| strides(y));
        Some(Box::new(Product {
            left: Matrices::new(a, &self.strides(0))?,
            right: Matrices::new(&b, &right)?,
            result: Matrices::new(y, &place)?,
            rows,
            depth,
            columns: *y.last()?,
            transposed,
            mean,
            map,
        }))
    }

    fn add(&self, coeff: &[i32], map: Map) -> Box<dyn Step> {
        let shapes: Vec<&[usize]> = (0..coeff.len()).map(|i| self.shape(i)).collect();
        let runs = Runs::new(&self.result.shape, &shapes);
        let terms = coeff.iter().enumerate().map(|(operand, &c)| Term {
            operand,
            item: self.info(operand).len(),
            factor: Factor::Scalar(c),
        });
        Box::new(Sum {
            runs,
            terms: terms.collect(),
            bias: None,
            map,
        })
    }

    fn affine(&self, map: Map) -> Option<Box<dyn Step>> {
        let shapes = [
            self.shape(0),
            self.constant_shape(0),
            self.constant_shape(1),
        ];
        let runs = Runs::new(&self.result.shape, &shapes);
        let gain = Factor::Gain(widen(self.constant(0)?));
        let terms = vec![Term {
            operand: 0,
            item: self.info(0).len(),
            factor: gain,
        }];
        Some(Box::new(Sum {
            runs,
            terms,
            bias: Some(widen(self.constant(1)?)),
            map,
        }))
    }

    fn softmax_numerator(&self, shift: u32) -> Option<Box<dyn Step>> {
        let &[ref leading @ .., width] = self.shape(0) else {
            return None;
        };
        let mask = (self.node.inputs.len() > 1).then(|| Mask {
            starts: starts(leading, self.shape(1)),
            item: self.info(1).len(),
            width: self.shape(1).last().copied().unwrap_or(1),
        });
        let table = Table::new(&widen(self.constant(0)?));
        let rows = leading.iter().product();
        Some(Box::new(SoftmaxNumerator {
            table,
            shift,
            rows,
            width,
            mask,
        }))
    }

    fn pool(&self, window: Window, sum: bool) -> Option<Box<dyn Step>> {
        let &[ref leading @ .., height, width] = self.shape(0) else {
            return None;
        };
        let &[.., rows, columns] = &self.result.shape[..] else {
            return None;
        };
        let pooling = Pooling {
            window,
            sum,
            size: [height, width],
            result: [rows, columns],
            same_width: self.info(0).is_narrow() == self.result.is_narrow(),
        };
        Some(Box::new(Pool {
            pooling,
            planes: leading.iter().product(),
        }))
    }

    /// Axes that follow each other; others are left to the interpreter.
    fn reduce(&self, axes: &[usize], sum: bool, map: Map) -> Option<Box<dyn Step>> {
        let shape = self.shape(0);
        let (&first, &last) = (axes.first()?, axes.last()?);
        if last - first + 1 != axes.len() {
            return None;
        }
        Some(Box::new(Reduce {
            sum,
            outer: shape[..first].iter().product(),
            reduced: shape[first..=last].iter().product(),
            inner: shape[last + 1..].iter().product(),
            map,
        }))
    }

    fn largest(&self, count: usize, values: bool) -> Option<Box<dyn Step>> {
        let width = *self.shape(0).last()?;
        Some(Box::new(Largest {
            rows: self.info(0).len() / width,
            width,
            count,
            values,
        }))
    }

    /// Moves for every layout operation.
    fn layout(&self) -> Box<dyn Step> {
        let shape = &self.result.shape;
        let write = strides(shape);
        let mut moves = Vec::with_capacity(self.node.inputs.len());
        let mut background = None;
        let mut position = 0;
        for i in 0..self.node.inputs.len() {
            let (sizes, read) = (self.shape(i), strides(self.shape(i)));
            let plain = |axis: usize| Axis {
                size: sizes[axis],
                read: read[axis],
                write: write[axis],
            };
            let (mut from, mut to) = (0, 0);
            let axes: Vec<Axis> = match &self.node.op {
                Op::Transpose { perm } => perm
                    .iter()
                    .zip(&write)
                    .map(|(&axis, &write)| Axis {
                        size: sizes[axis],
                        read: read[axis],
                        write,
                    })
                    .collect(),
                Op::Expand { .. } => (0..shape.len())
                    .map(|axis| Axis {
                        size: shape[axis],
                        read: if sizes[axis] == 1 { 0 } else { read[axis] },
                        write: write[axis],
                    })
                    .collect(),
                Op::Slice {
                    axis, start, step, ..
                } => {
                    from = start * read[*axis];
                    let stepped = |a: usize| {
                        let factor = if a == *axis { *step } else { 1 };
                        Axis {
                            size: shape[a],
                            read: read[a] * factor,
                            write: write[a],
                        }
                    };
                    (0..shape.len()).map(stepped).collect()
                }
                Op::Concat { axis } => {
                    to = position * write[*axis];
                    position += sizes[*axis];
                    (0..shape.len()).map(plain).collect()
                }
                Op::Pad { before, value, .. } => {
                    to = before.iter().zip(&write).map(|(&b, &w)| b * w).sum();
                    background = Some(*value);
                    (0..shape.len()).map(plain).collect()
                }
                // `reshape`: one run.
                _ => vec![Axis {
                    size: self.info(i).len(),
                    read: 1,
                    write: 1,
                }],
            };
            moves.push(Move::new(from, to, &axes, self.info(i).len()));
        }
        Box::new(Layout {
            moves,
            background,
            len: self.result.len(),
        })
    }
}

/// Elements from one index to the next, for every axis.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    strides
}
