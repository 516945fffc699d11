//! The small language in which the catalogue writes derived metrics.
//!
//! ```text
//! (customers_closing - customers_with_new) / customers_opening
//! 12 * cmrr
//! min(arpa, ltv.arpa_churn)
//! ```
//!
//! Numbers, names (`metric`, `metric.variant` or a measure), `+ - * /`, a leading minus,
//! parentheses, `min`, `max`, and `root(x, n)`. All of it is exact on rationals but `root`,
//! whose answer is cut off after [`ROOT_DECIMALS`] decimals.

use std::fmt;

use num_bigint::{BigInt, BigUint, Sign};
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use super::need::{self, Needs};
use outlook::wording::{Language, Words};

/// What a metric or a measure comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An exact number.
    Number(BigRational),
    /// The facts are there but the formula has no answer, for this reason.
    Undefined(Words),
    /// Facts are missing: these kinds of them.
    NoData(Needs),
}

impl Value {
    /// A whole number.
    pub fn whole(number: i64) -> Value {
        Value::Number(BigRational::from_integer(number.into()))
    }

    /// The number, when there is one.
    pub fn number(&self) -> Option<&BigRational> {
        match self {
            Value::Number(number) => Some(number),
            Value::Undefined(_) | Value::NoData(_) => None,
        }
    }

    /// Why there is no number, in every language; nothing when there is one.
    pub fn why(&self) -> Option<Words> {
        let [en, zh, fr] = Language::ALL.map(|language| self.note(language));
        Some(Words::owned(en?, zh?, fr?))
    }

    /// Why there is no number, in words; nothing when there is one.
    pub fn note(&self, language: Language) -> Option<String> {
        match self {
            Value::Number(_) => None,
            Value::Undefined(reason) => Some(reason.say(language).to_owned()),
            Value::NoData(needs) => Some(need::no_data(needs, language)),
        }
    }
}

/// How many decimals `root` keeps; the rest is cut off.
pub const ROOT_DECIMALS: u32 = 18;

/// The deepest nesting that is read. It keeps a hostile file from exhausting the stack.
const DEEPEST: usize = 64;

/// The longest text that is read: no formula that people can check is longer.
const LONGEST: usize = 4096;

/// The largest numerator and denominator of the degree of a root.
const LARGEST_DEGREE: u32 = 1000;

/// A formula that was read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Number(BigRational),
    Name(String),
    Negated(Box<Node>),
    /// A first term and what follows it, from left to right. It is flat, so that a long sum is not a deep one.
    Chain(Box<Node>, Vec<(Operator, Node)>),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Min,
    Max,
    Root,
}

/// Why a text is not an expression. `column` counts characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// There is nothing in it.
    #[error("the expression is empty: write a measure, a metric or a formula of them")]
    Empty,
    /// It is too long or nested too deep.
    #[error(
        "the expression is longer than {LONGEST} characters or nested deeper than {DEEPEST}: give parts of it a metric of their own"
    )]
    TooLarge,
    /// A character that no expression has.
    #[error(
        "`{character}` at column {column} is not part of an expression: use names, numbers, + - * / ( ) and commas"
    )]
    Character {
        /// The character.
        character: char,
        /// Where it stands.
        column: usize,
    },
    /// A number such as `1.` or `1.2.3`.
    #[error("`{number}` at column {column} is not a number: write it like 12 or 0.05")]
    Number {
        /// As written.
        number: String,
        /// Where it stands.
        column: usize,
    },
    /// A name such as `nrr.` or `a.b.c`.
    #[error("`{name}` at column {column} is not a name: write it like nrr or nrr.month")]
    Name {
        /// As written.
        name: String,
        /// Where it stands.
        column: usize,
    },
    /// Something else should stand here.
    #[error("{found} at column {column} where {wanted} should be")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What should.
        wanted: &'static str,
        /// Where.
        column: usize,
    },
    /// A function that there is not.
    #[error("there is no function `{name}` (column {column}): there are min, max and root")]
    Function {
        /// As written.
        name: String,
        /// Where it stands.
        column: usize,
    },
    /// A function with too few or too many arguments.
    #[error("`{name}` at column {column} takes {takes}, not {given}")]
    Arguments {
        /// The function.
        name: String,
        /// How many it takes, in words.
        takes: &'static str,
        /// How many it was given.
        given: usize,
        /// Where it stands.
        column: usize,
    },
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Says which character or word is wrong, at which column, and what should be there.
    pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
        if text.trim().is_empty() {
            return Err(ExpressionError::Empty);
        }
        if text.chars().count() > LONGEST {
            return Err(ExpressionError::TooLarge);
        }
        let tokens = tokens(text)?;
        let mut reader = Reader { tokens: &tokens, at: 0, depth: 0 };
        let root = reader.sum()?;
        match reader.peek() {
            Token::End => Ok(Expression { text: text.trim().to_owned(), root }),
            _ => Err(reader.unexpected("an operator or the end")),
        }
    }

    /// The names in it, each once, in the order of their first appearance.
    pub fn names(&self) -> Vec<&str> {
        fn gather<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
            match node {
                Node::Number(_) => {}
                Node::Name(name) => {
                    if !names.contains(&name.as_str()) {
                        names.push(name);
                    }
                }
                Node::Negated(inner) => gather(inner, names),
                Node::Chain(first, others) => {
                    gather(first, names);
                    for (_, other) in others {
                        gather(other, names);
                    }
                }
                Node::Call(_, arguments) => {
                    for argument in arguments {
                        gather(argument, names);
                    }
                }
            }
        }
        let mut names = Vec::new();
        gather(&self.root, &mut names);
        names
    }

    /// The value, given the value of each name.
    ///
    /// Missing facts outweigh a division by zero: whoever lacks both is told what to bring.
    pub fn evaluate(&self, value_of: &mut dyn FnMut(&str) -> Value) -> Value {
        value(&self.root, None, value_of)
    }

    /// As [`Expression::evaluate`], with the words for a divisor of this expression that is zero.
    pub fn evaluate_or(&self, undefined: Option<&Words>, value_of: &mut dyn FnMut(&str) -> Value) -> Value {
        value(&self.root, undefined, value_of)
    }

    /// Whether it divides, and so can be undefined by itself.
    pub fn divides(&self) -> bool {
        fn looks(node: &Node) -> bool {
            match node {
                Node::Number(_) | Node::Name(_) => false,
                Node::Negated(inner) => looks(inner),
                Node::Chain(first, others) => {
                    looks(first)
                        || others.iter().any(|(operator, other)| {
                            (*operator == Operator::Divide && !matches!(other, Node::Number(_))) || looks(other)
                        })
                }
                Node::Call(_, arguments) => arguments.iter().any(looks),
            }
        }
        looks(&self.root)
    }
}

/// The text as it was written.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn value(node: &Node, undefined: Option<&Words>, value_of: &mut dyn FnMut(&str) -> Value) -> Value {
    match node {
        Node::Number(number) => Value::Number(number.clone()),
        Node::Name(name) => value_of(name),
        Node::Negated(inner) => match value(inner, undefined, value_of) {
            Value::Number(number) => Value::Number(-number),
            none => none,
        },
        Node::Chain(first, others) => {
            let mut total = value(first, undefined, value_of);
            for (operator, other) in others {
                total = match numbers(total, value(other, undefined, value_of)) {
                    Err(none) => none,
                    Ok((left, right)) => match operator {
                        Operator::Add => Value::Number(left + right),
                        Operator::Subtract => Value::Number(left - right),
                        Operator::Multiply => Value::Number(left * right),
                        Operator::Divide if right.is_zero() => {
                            Value::Undefined(undefined.cloned().unwrap_or_else(|| zero_divisor(other)))
                        }
                        Operator::Divide => Value::Number(left / right),
                    },
                };
            }
            total
        }
        Node::Call(function, arguments) => {
            let mut values = arguments.iter().map(|argument| value(argument, undefined, value_of));
            let Some(mut best) = values.next() else {
                // The reader refuses a call without arguments.
                return Value::Undefined(NO_ARGUMENTS);
            };
            for next in values {
                best = match numbers(best, next) {
                    Err(none) => none,
                    Ok((left, right)) => match function {
                        Function::Min => Value::Number(left.min(right)),
                        Function::Max => Value::Number(left.max(right)),
                        Function::Root => root(&left, &right),
                    },
                };
            }
            best
        }
    }
}

/// Two numbers, or the better reason why there are not.
pub(super) fn numbers(left: Value, right: Value) -> Result<(BigRational, BigRational), Value> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok((left, right)),
        (Value::NoData(mut left), Value::NoData(right)) => {
            left.extend(right);
            Err(Value::NoData(left))
        }
        (Value::NoData(needs), _) | (_, Value::NoData(needs)) => Err(Value::NoData(needs)),
        (Value::Undefined(reason), _) | (_, Value::Undefined(reason)) => Err(Value::Undefined(reason)),
    }
}

const NO_ARGUMENTS: Words = Words::fixed("nothing to choose from", "没有可供选择的值", "aucune valeur à comparer");

const NO_ROOT: Words = Words::fixed(
    "there is no such root: the number is negative, or its degree is not a plain positive number",
    "该方根不存在：被开方数为负，或开方次数不是普通的正数",
    "cette racine n’existe pas : le nombre est négatif ou son degré n’est pas un nombre positif simple",
);

fn zero_divisor(divisor: &Node) -> Words {
    match divisor {
        Node::Name(name) => Words::owned(
            format!("{name} is zero, and nothing can be divided by it"),
            format!("{name} 为零，不能作除数"),
            format!("{name} vaut zéro : la division est impossible"),
        ),
        _ => Words::fixed("the divisor is zero", "除数为零", "le diviseur vaut zéro : la division est impossible"),
    }
}

/// The n-th root, cut off after [`ROOT_DECIMALS`] decimals. A degree a/b is the a-th root of the b-th power.
fn root(number: &BigRational, degree: &BigRational) -> Value {
    let within = |part: &BigInt| part.to_u32().filter(|part| (1..=LARGEST_DEGREE).contains(part));
    let (Some(take), Some(raise)) = (within(degree.numer()), within(degree.denom())) else {
        return Value::Undefined(NO_ROOT);
    };
    if number.is_negative() {
        return Value::Undefined(NO_ROOT);
    }
    if take == 1 && raise == 1 {
        return Value::Number(number.clone());
    }
    let scale = BigUint::from(10u32).pow(ROOT_DECIMALS);
    // Neither part is negative here: the sign was looked at, and a denominator is positive.
    let above = number.numer().magnitude().pow(raise);
    let below = number.denom().magnitude().pow(raise);
    let scaled = above * scale.pow(take) / below;
    let digits = BigInt::from_biguint(Sign::Plus, scaled.nth_root(take));
    Value::Number(BigRational::new(digits, BigInt::from_biguint(Sign::Plus, scale)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(BigRational),
    Name(String),
    Sign(char),
    End,
}

/// The words of a text, each with the column where it begins.
fn tokens(text: &str) -> Result<Vec<(Token, usize)>, ExpressionError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let column = at + 1;
        let run = |belongs: fn(char) -> bool| -> String {
            characters[at..].iter().copied().take_while(|c| belongs(*c)).collect()
        };
        if character.is_whitespace() {
            at += 1;
        } else if character.is_ascii_digit() {
            let number = run(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            at += number.len();
            let Some(exact) = decimal(&number) else {
                return Err(ExpressionError::Number { number, column });
            };
            tokens.push((Token::Number(exact), column));
        } else if character.is_ascii_alphabetic() {
            let name = run(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            at += name.len();
            if name.split('.').count() > 2 || name.split('.').any(str::is_empty) {
                return Err(ExpressionError::Name { name, column });
            }
            tokens.push((Token::Name(name.to_ascii_lowercase()), column));
        } else if "+-*/(),".contains(character) {
            at += 1;
            tokens.push((Token::Sign(character), column));
        } else {
            return Err(ExpressionError::Character { character, column });
        }
    }
    tokens.push((Token::End, characters.len() + 1));
    Ok(tokens)
}

/// A plain decimal number, exactly.
fn decimal(text: &str) -> Option<BigRational> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (text, ""),
    };
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let scale = BigInt::from(10).pow(u32::try_from(part.len()).ok()?);
    Some(BigRational::new(digits.parse().ok()?, scale))
}

struct Reader<'t> {
    tokens: &'t [(Token, usize)],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, column)| *column)
    }

    fn unexpected(&self, wanted: &'static str) -> ExpressionError {
        let found = match self.peek() {
            Token::Number(number) => format!("the number {number}"),
            Token::Name(name) => format!("`{name}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        ExpressionError::Unexpected { found, wanted, column: self.column() }
    }

    /// Steps over one of these signs, if it comes next.
    fn sign(&mut self, signs: &str) -> Option<char> {
        match *self.peek() {
            Token::Sign(sign) if signs.contains(sign) => {
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn deeper(&mut self) -> Result<(), ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ExpressionError::TooLarge);
        }
        Ok(())
    }

    fn sum(&mut self) -> Result<Node, ExpressionError> {
        self.chain("+-", Self::product)
    }

    fn product(&mut self) -> Result<Node, ExpressionError> {
        self.chain("*/", Self::signed)
    }

    fn chain(
        &mut self,
        signs: &str,
        term: fn(&mut Self) -> Result<Node, ExpressionError>,
    ) -> Result<Node, ExpressionError> {
        let first = term(self)?;
        let mut others = Vec::new();
        while let Some(sign) = self.sign(signs) {
            let operator = match sign {
                '+' => Operator::Add,
                '-' => Operator::Subtract,
                '*' => Operator::Multiply,
                _ => Operator::Divide,
            };
            others.push((operator, term(self)?));
        }
        Ok(if others.is_empty() { first } else { Node::Chain(Box::new(first), others) })
    }

    fn signed(&mut self) -> Result<Node, ExpressionError> {
        if self.sign("-").is_some() {
            self.deeper()?;
            let inner = self.signed()?;
            self.depth -= 1;
            return Ok(Node::Negated(Box::new(inner)));
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Node, ExpressionError> {
        let column = self.column();
        match self.peek().clone() {
            Token::Number(number) => {
                self.at += 1;
                Ok(Node::Number(number))
            }
            Token::Name(name) => {
                self.at += 1;
                if self.sign("(").is_some() { self.call(&name, column) } else { Ok(Node::Name(name)) }
            }
            Token::Sign('(') => {
                self.at += 1;
                self.deeper()?;
                let inner = self.sum()?;
                self.depth -= 1;
                if self.sign(")").is_none() {
                    return Err(self.unexpected("an operator or `)`"));
                }
                Ok(inner)
            }
            Token::Sign(_) | Token::End => Err(self.unexpected("a name, a number or `(`")),
        }
    }

    fn call(&mut self, name: &str, column: usize) -> Result<Node, ExpressionError> {
        let (function, takes) = match name {
            "min" => (Function::Min, "at least two arguments"),
            "max" => (Function::Max, "at least two arguments"),
            "root" => (Function::Root, "two arguments (the number and the degree)"),
            _ => return Err(ExpressionError::Function { name: name.to_owned(), column }),
        };
        self.deeper()?;
        let mut arguments = Vec::new();
        if *self.peek() != Token::Sign(')') {
            arguments.push(self.sum()?);
            while self.sign(",").is_some() {
                arguments.push(self.sum()?);
            }
        }
        self.depth -= 1;
        if self.sign(")").is_none() {
            return Err(self.unexpected("an operator, `,` or `)`"));
        }
        let given = arguments.len();
        if given < 2 || (function == Function::Root && given != 2) {
            return Err(ExpressionError::Arguments { name: name.to_owned(), takes, given, column });
        }
        Ok(Node::Call(function, arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a = 10, b = 4, z = 0, u is undefined, d and s lack data.
    fn evaluate(text: &str) -> String {
        let expression = match Expression::parse(text) {
            Ok(expression) => expression,
            Err(error) => return format!("error: {error}"),
        };
        let value = expression.evaluate(&mut |name| match name {
            "a" => Value::whole(10),
            "b" | "b.month" => Value::whole(4),
            "z" => Value::whole(0),
            "d" => Value::NoData(Needs::from(["cost"])),
            "s" => Value::NoData(Needs::from(["spend"])),
            _ => Value::Undefined(Words::fixed("unclear", "不明", "obscur")),
        });
        match value {
            Value::Number(number) => number.to_string(),
            none => none.note(Language::English).unwrap_or_default(),
        }
    }

    #[test]
    fn expressions_and_their_values() {
        let table = [
            ("a + b * 2", "18"),
            ("(a + b) * 2", "28"),
            ("a - b - 1", "5"),
            ("a / b / 2", "5/4"),
            ("-a + b", "-6"),
            ("--a", "10"),
            ("2 * -b", "-8"),
            ("0.1 + 0.2", "3/10"),
            ("B.Month * 3", "12"),
            ("min(a, b, 7)", "4"),
            ("max(a, b) - min(a, b)", "6"),
            ("root(64, 2)", "8"),
            ("root(64, 3)", "4"),
            ("root(8, 3 / 2)", "4"),
            ("root(2, 2)", "1414213562373095048/1000000000000000000"),
            ("root(a, 1)", "10"),
            ("root(0, 12) - 1", "-1"),
            (
                "root(-a, 2)",
                "there is no such root: the number is negative, or its degree is not a plain positive number",
            ),
            (
                "root(a, z)",
                "there is no such root: the number is negative, or its degree is not a plain positive number",
            ),
            ("a / z", "z is zero, and nothing can be divided by it"),
            ("a / (b - 4)", "the divisor is zero"),
            ("z / a", "0"),
            ("u + 1", "unclear"),
            ("d * z", "no data: needs cost"),
            ("d + s + u", "no data: needs cost, spend"),
            ("a / z + d", "no data: needs cost"),
            ("", "error: the expression is empty: write a measure, a metric or a formula of them"),
            ("a +", "error: the end at column 4 where a name, a number or `(` should be"),
            ("a b", "error: `b` at column 3 where an operator or the end should be"),
            ("(a", "error: the end at column 3 where an operator or `)` should be"),
            (
                "a ÷ b",
                "error: `÷` at column 3 is not part of an expression: use names, numbers, + - * / ( ) and commas",
            ),
            ("1. + a", "error: `1.` at column 1 is not a number: write it like 12 or 0.05"),
            ("1e3", "error: `1e3` at column 1 is not a number: write it like 12 or 0.05"),
            ("nrr.month.x", "error: `nrr.month.x` at column 1 is not a name: write it like nrr or nrr.month"),
            ("log(a)", "error: there is no function `log` (column 1): there are min, max and root"),
            ("root(a)", "error: `root` at column 1 takes two arguments (the number and the degree), not 1"),
            ("min()", "error: `min` at column 1 takes at least two arguments, not 0"),
        ];
        for (text, wanted) in table {
            let reduced = |text: &str| {
                text.split_once('/')
                    .and_then(|(above, below)| {
                        Some(BigRational::new(above.parse().ok()?, below.parse().ok()?).to_string())
                    })
                    .unwrap_or(text.to_owned())
            };
            assert_eq!(evaluate(text), reduced(wanted), "{text}");
        }
    }

    #[test]
    fn a_hostile_text_is_refused_before_it_costs_the_stack() {
        let deep = format!("{}a{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(Expression::parse(&deep), Err(ExpressionError::TooLarge));
        assert_eq!(Expression::parse(&"-".repeat(100)), Err(ExpressionError::TooLarge));
        assert_eq!(Expression::parse(&"a+".repeat(5000)), Err(ExpressionError::TooLarge));
        let long = format!("a{}", "+a".repeat(2000));
        assert_eq!(evaluate(&long), "20010");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_never_worse(text in "[ab0-9.+*/(), _-]{0,40}|\\PC{0,40}|(min|max|root)\\([ab0-9,/ -]{0,20}\\)") {
            if let Ok(expression) = Expression::parse(&text) {
                // What was read is read the same again, and has a value or a reason.
                assert_eq!(Expression::parse(&expression.to_string()).as_ref(), Ok(&expression));
                expression.evaluate(&mut |name| Value::whole(name.len() as i64 - 1));
            }
        }
    }

    #[test]
    fn names_come_once_and_in_order() {
        let expression = Expression::parse("b.month + a * (a - min(c, b))").unwrap();
        assert_eq!(expression.names(), ["b.month", "a", "c", "b"]);
        assert!(!expression.divides());
        assert!(Expression::parse("a / b").unwrap().divides());
        assert!(!Expression::parse("a / 2").unwrap().divides());
    }
}
