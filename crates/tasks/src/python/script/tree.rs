//! What a file of Python says, as a tree: the part of the language that the functions of task files use.

use std::sync::Arc;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    None,
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Name(String),
    /// `f"..."`.
    Formatted(Vec<Piece>),
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Set(Vec<Self>),
    Dictionary(Vec<(Self, Self)>),
    Comprehension(Box<Comprehension>),
    Not(Box<Self>),
    Minus(Box<Self>),
    /// Operators of one rank, from the left to the right.
    Chain(Box<Self>, Vec<(Operator, Self)>),
    Compare(Box<Self>, Vec<(Comparison, Self)>),
    And(Vec<Self>),
    Or(Vec<Self>),
    /// The condition, and what it is if that holds and if not.
    Conditional(Box<[Self; 3]>),
    Lambda(Arc<Function>),
    Attribute(Box<Self>, String),
    Item(Box<Self>, Box<Self>),
    Slice(Box<Self>, Box<[Option<Self>; 3]>),
    Call(Box<Self>, Vec<Self>, Vec<(String, Self)>),
}

/// A part of a formatted text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Value {
        value: Expression,
        /// `!r`.
        quoted: bool,
        /// `:.2f`: so many digits behind the point.
        digits: Option<usize>,
    },
}

/// What a comprehension makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    List,
    Set,
    Dictionary,
}

#[derive(Debug, Clone)]
pub(super) struct Comprehension {
    pub(super) made: Made,
    /// Each item, or each key.
    pub(super) item: Expression,
    /// Each value of a dictionary.
    pub(super) value: Option<Expression>,
    pub(super) clauses: Vec<Clause>,
}

/// `for target in over if ...`.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) target: Target,
    pub(super) over: Expression,
    pub(super) conditions: Vec<Expression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

/// A function, or a `lambda`.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    /// Each with what it is if it is not given.
    pub(super) parameters: Vec<(String, Option<Expression>)>,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(super) enum Statement {
    Return(Option<Expression>),
    Assign(Vec<Target>, Expression),
    Augment(Target, Operator, Expression),
    Expression(Expression),
    /// Conditions with what is done under the first that holds; the last may be `True`.
    If(Vec<(Expression, Vec<Statement>)>),
    For(Target, Expression, Vec<Statement>),
    While(Expression, Vec<Statement>),
    Define(Arc<Function>),
    /// Names, and what they stand for.
    Import(Vec<(String, String)>),
    Assert(Expression),
    Raise,
    Pass,
    Break,
    Continue,
}

/// What is assigned to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Name(String),
    Several(Vec<Self>),
    Item(Expression, Expression),
}

impl Target {
    /// Calls `see` with each name that is bound.
    fn names(&self, see: &mut dyn FnMut(Seen<'_>)) {
        match self {
            Self::Name(name) => see(Seen::Bound(name)),
            Self::Several(targets) => targets.iter().for_each(|target| target.names(see)),
            Self::Item(of, item) => {
                if let Expression::Name(name) = of {
                    see(Seen::Changed(name));
                }
                of.walk(see);
                item.walk(see);
            }
        }
    }
}

/// What a walk through the tree meets.
pub(super) enum Seen<'t> {
    /// An expression, before what is in it.
    Expression(&'t Expression),
    /// A name that gets a value.
    Bound(&'t str),
    /// A name of which an item gets a value.
    Changed(&'t str),
    /// A name that stands for something of a module.
    Imported(&'t str, &'t str),
}

impl Expression {
    /// Calls `see` with this and all that is in it.
    pub(super) fn walk(&self, see: &mut dyn FnMut(Seen<'_>)) {
        see(Seen::Expression(self));
        match self {
            Self::None | Self::Flag(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) | Self::Name(_) => {}
            Self::Formatted(pieces) => {
                for piece in pieces {
                    if let Piece::Value { value, .. } = piece {
                        value.walk(see);
                    }
                }
            }
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::And(items) | Self::Or(items) => {
                items.iter().for_each(|item| item.walk(see));
            }
            Self::Dictionary(pairs) => pairs.iter().for_each(|(key, value)| {
                key.walk(see);
                value.walk(see);
            }),
            Self::Comprehension(made) => {
                for clause in &made.clauses {
                    clause.target.names(see);
                    clause.over.walk(see);
                    clause.conditions.iter().for_each(|condition| condition.walk(see));
                }
                made.item.walk(see);
                made.value.iter().for_each(|value| value.walk(see));
            }
            Self::Not(inner) | Self::Minus(inner) | Self::Attribute(inner, _) => inner.walk(see),
            Self::Chain(first, rest) => {
                first.walk(see);
                rest.iter().for_each(|(_, other)| other.walk(see));
            }
            Self::Compare(first, rest) => {
                first.walk(see);
                rest.iter().for_each(|(_, other)| other.walk(see));
            }
            Self::Conditional(parts) => parts.iter().for_each(|part| part.walk(see)),
            Self::Lambda(function) => function.walk(see),
            Self::Item(of, item) => {
                of.walk(see);
                item.walk(see);
            }
            Self::Slice(of, parts) => {
                of.walk(see);
                parts.iter().flatten().for_each(|part| part.walk(see));
            }
            Self::Call(called, given, named) => {
                called.walk(see);
                given.iter().for_each(|given| given.walk(see));
                named.iter().for_each(|(_, given)| given.walk(see));
            }
        }
    }
}

impl Function {
    pub(super) fn walk(&self, see: &mut dyn FnMut(Seen<'_>)) {
        for (name, usual) in &self.parameters {
            see(Seen::Bound(name));
            usual.iter().for_each(|usual| usual.walk(see));
        }
        self.body.iter().for_each(|statement| statement.walk(see));
    }
}

impl Statement {
    pub(super) fn walk(&self, see: &mut dyn FnMut(Seen<'_>)) {
        match self {
            Self::Return(value) => value.iter().for_each(|value| value.walk(see)),
            Self::Assign(targets, value) => {
                targets.iter().for_each(|target| target.names(see));
                value.walk(see);
            }
            Self::Augment(target, _, value) => {
                target.names(see);
                value.walk(see);
            }
            Self::Expression(value) | Self::Assert(value) => value.walk(see),
            Self::If(branches) => branches.iter().for_each(|(condition, body)| {
                condition.walk(see);
                body.iter().for_each(|statement| statement.walk(see));
            }),
            Self::For(target, over, body) => {
                target.names(see);
                over.walk(see);
                body.iter().for_each(|statement| statement.walk(see));
            }
            Self::While(condition, body) => {
                condition.walk(see);
                body.iter().for_each(|statement| statement.walk(see));
            }
            Self::Define(function) => {
                see(Seen::Bound(&function.name));
                function.walk(see);
            }
            Self::Import(names) => names.iter().for_each(|(name, path)| see(Seen::Imported(name, path))),
            // An error ends it whatever it is.
            Self::Raise | Self::Pass | Self::Break | Self::Continue => {}
        }
    }
}
