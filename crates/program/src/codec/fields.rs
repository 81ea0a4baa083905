//! Reads an object so that every key is used once and none is left over.

use crate::error::GraphError;
use crate::json::Value;
use std::collections::BTreeMap;

/// A value with the path that names it in errors.
pub(super) struct Field {
    path: String,
    value: Value,
}

/// The members of an object that are still unread.
pub(super) struct Fields {
    path: String,
    members: BTreeMap<String, Value>,
}

impl Field {
    pub(super) fn root(value: Value) -> Self {
        Self {
            path: "graph".to_owned(),
            value,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn form(self, expected: &'static str) -> GraphError {
        GraphError::Form {
            path: self.path,
            expected,
        }
    }

    pub(super) fn object(self) -> Result<Fields, GraphError> {
        match self.value {
            Value::Object(members) => Ok(Fields {
                path: self.path,
                members,
            }),
            Value::Int(_) | Value::Text(_) | Value::List(_) => Err(self.form("an object")),
        }
    }

    /// The items, if there are `min..=max` of them.
    pub(super) fn list(self, min: i64, max: i64) -> Result<Vec<Self>, GraphError> {
        let Value::List(items) = self.value else {
            return Err(self.form("a list"));
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        limit(|| format!("length of {}", self.path), length, min, max)?;
        let at = |(i, value)| Self {
            path: format!("{}[{i}]", self.path),
            value,
        };
        Ok(items.into_iter().enumerate().map(at).collect())
    }

    pub(super) fn text(self) -> Result<String, GraphError> {
        match self.value {
            Value::Text(text) => Ok(text),
            Value::Int(_) | Value::List(_) | Value::Object(_) => Err(self.form("a string")),
        }
    }

    /// The integer, if it is in `lo..=hi` and of the type asked for.
    pub(super) fn int<T: TryFrom<i64>>(self, lo: i64, hi: i64) -> Result<T, GraphError> {
        let Value::Int(value) = self.value else {
            return Err(self.form("an integer"));
        };
        limit(|| self.path.clone(), value, lo, hi)?;
        T::try_from(value).ok().ok_or(GraphError::Limit {
            path: self.path,
            value,
            lo,
            hi,
        })
    }

    /// A list of `min..=max` integers in `lo..=hi`.
    pub(super) fn ints<T: TryFrom<i64>>(
        self,
        (min, max): (i64, i64),
        (lo, hi): (i64, i64),
    ) -> Result<Vec<T>, GraphError> {
        self.list(min, max)?
            .into_iter()
            .map(|f| f.int(lo, hi))
            .collect()
    }

    /// Exactly `N` integers in `lo..=hi`.
    pub(super) fn array<const N: usize>(self, lo: i64, hi: i64) -> Result<[usize; N], GraphError> {
        let path = self.path.clone();
        let items: Vec<usize> = self.ints((0, i64::MAX), (lo, hi))?;
        let form = GraphError::Form {
            path,
            expected: if N == 2 { "a pair" } else { "four integers" },
        };
        items.try_into().ok().ok_or(form)
    }

    pub(super) fn flag(self) -> Result<bool, GraphError> {
        self.int::<i64>(0, 1).map(|v| v == 1)
    }
}

impl Fields {
    pub(super) fn take(&mut self, key: &'static str) -> Result<Field, GraphError> {
        match self.members.remove(key) {
            Some(value) => Ok(Field {
                path: format!("{}.{key}", self.path),
                value,
            }),
            None => Err(GraphError::MissingKey {
                path: self.path.clone(),
                key,
            }),
        }
    }

    /// Ends the object: a key that nobody asked for is an error.
    pub(super) fn end(mut self) -> Result<(), GraphError> {
        match self.members.pop_first() {
            None => Ok(()),
            Some((key, _)) => Err(GraphError::UnknownKey {
                path: self.path,
                key,
            }),
        }
    }
}

fn limit(path: impl Fn() -> String, value: i64, lo: i64, hi: i64) -> Result<(), GraphError> {
    if (lo..=hi).contains(&value) {
        return Ok(());
    }
    Err(GraphError::Limit {
        path: path(),
        value,
        lo,
        hi,
    })
}
