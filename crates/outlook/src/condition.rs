//! The small language of conditions over monthly figures, in which the playbook writes its rules.
//!
//! ```text
//! growth >= least                                a figure of the month against a threshold
//! falls(mrr, months)                             lower than the month before, so many months running
//! change(cac, 3) > by and change(conversion, 3) < -by
//! runs(abs(growth) <= band, months)              a condition that held so many months running
//! months_since_launch > 6 and mrr < least
//! ```
//!
//! Numbers are exact: integers of 10⁻¹², so that a threshold that is just met is met. A figure without a value does not
//! make a condition false, nor true: what it decides is *not known*, with the reason; `and` and `or` know where one side
//! settles it. What a condition read is kept, and is its evidence.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use revenue::calendar::Day;

use crate::wording::Words;

/// One, in the numbers of conditions.
pub const ONE: i128 = 1_000_000_000_000;

/// The longest look back, in months.
pub const MOST_MONTHS: i128 = 120;

/// A figure of one month: its number times 10¹², or why there is none.
pub type Reading = Result<i128, Words>;

/// The name of the count of months since the business began, 1 in its first.
pub const MONTHS_SINCE_LAUNCH: &str = "months_since_launch";

/// Figures by name, month by month.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The first day of the first month.
    pub first_month: Day,
    /// The first day of the month in which the business began.
    pub launch: Day,
    /// How many months there are.
    pub months: usize,
    /// The figures, each with as many readings as there are months.
    pub figures: BTreeMap<String, Vec<Reading>>,
}

impl History {
    /// The first day of a month by its place.
    #[must_use]
    pub fn month(&self, place: usize) -> Day {
        self.first_month.plus_months(i32::try_from(place).unwrap_or(i32::MAX))
    }

    /// The place of the month that begins with a day.
    #[must_use]
    pub fn place(&self, month: Day) -> Option<usize> {
        (0..self.months).find(|place| self.month(*place) == month)
    }

    /// How many months the business is old in a month: 1 in its first.
    #[must_use]
    pub fn months_since_launch(&self, place: usize) -> i64 {
        let number = |day: Day| {
            let (year, month, _) = day.civil();
            i64::from(year) * 12 + i64::from(month)
        };
        number(self.month(place)) - number(self.launch) + 1
    }

    /// The reading of a figure so many months before a month.
    fn read(&self, name: &str, at: i64) -> Reading {
        let readings = self.figures.get(name);
        let reading = usize::try_from(at).ok().and_then(|place| readings?.get(place));
        match (readings, reading) {
            (_, Some(reading)) => reading.clone(),
            (Some(_), None) => Err(Words::fixed(
                "the figures do not reach back so far",
                "数据没有那么久的历史",
                "les chiffres ne remontent pas aussi loin",
            )),
            (None, None) => Err(Words::fixed("it is not given", "未提供", "il n’est pas fourni")),
        }
    }
}

/// A figure that a condition could not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The figure.
    pub figure: String,
    /// The first day of the month.
    pub month: Day,
    /// Why.
    pub reason: Words,
}

/// What an evaluation looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Figures with the places of their months.
    pub figures: BTreeSet<(String, usize)>,
}

/// Why there is no answer.
pub type Unknown = Vec<Missing>;

/// What is wrong with a condition, in words that say how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {fault}")]
pub struct ConditionFault {
    /// The condition.
    pub text: String,
    /// What is wrong.
    pub fault: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Number,
    Truth,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Number => "a number",
            Sort::Truth => "a condition",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Before,
    Mean,
    KnownMean,
    Sum,
    Least,
    Most,
    Min,
    Max,
    Abs,
    Change,
    Rises,
    Falls,
    Runs,
    Known,
    KnownOr,
}

/// Functions with what they take and give, and what they mean.
const FUNCTIONS: &[(&str, Function, &[Sort], Sort, &str)] = {
    use Sort::{Number, Truth};
    &[
        ("before", Function::Before, &[Number, Number], Number, "x so many months earlier"),
        ("mean", Function::Mean, &[Number, Number], Number, "the mean of x over so many months"),
        ("known_mean", Function::KnownMean, &[Number, Number], Number, "the mean over those of the months that have x"),
        ("sum", Function::Sum, &[Number, Number], Number, "the sum of x over so many months"),
        ("least", Function::Least, &[Number, Number], Number, "the least x of so many months"),
        ("most", Function::Most, &[Number, Number], Number, "the greatest x of so many months"),
        ("min", Function::Min, &[Number, Number], Number, "the lesser of two"),
        ("max", Function::Max, &[Number, Number], Number, "the greater of two"),
        ("abs", Function::Abs, &[Number], Number, "x without its sign"),
        (
            "change",
            Function::Change,
            &[Number, Number],
            Number,
            "the mean of so many months ÷ that of those before, − 1",
        ),
        ("rises", Function::Rises, &[Number, Number], Truth, "x is above the month before, so many months running"),
        ("falls", Function::Falls, &[Number, Number], Truth, "x is below the month before, so many months running"),
        ("runs", Function::Runs, &[Truth, Number], Truth, "the condition held so many months running"),
        ("known_or", Function::KnownOr, &[Number, Number], Number, "x where it has a value, else the second number"),
        ("known", Function::Known, &[Number], Truth, "x has a value"),
    ]
};

/// The functions of conditions with what they mean, for a page.
pub fn functions() -> impl Iterator<Item = (&'static str, usize, &'static str)> {
    FUNCTIONS.iter().map(|(name, _, takes, _, words)| (*name, takes.len(), *words))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Number(i128),
    Name(String),
    Call(Function, Vec<Node>),
    Two(Sign, Box<Node>, Box<Node>),
    Minus(Box<Node>),
    Not(Box<Node>),
}

/// A number over monthly figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    text: String,
    node: Node,
}

/// A condition over monthly figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    text: String,
    node: Node,
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Formula, ConditionFault> {
        Ok(Formula { text: text.to_owned(), node: read(text, Sort::Number)? })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that it uses.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        names(&self.node)
    }

    /// Its number in a month, times 10¹².
    ///
    /// # Errors
    /// The figures for want of which there is none.
    pub fn number(&self, ground: &Ground<'_>, place: usize, read: &mut Read) -> Result<i128, Unknown> {
        ground.number(&self.node, place as i64, read)
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Condition, ConditionFault> {
        Ok(Condition { text: text.to_owned(), node: self::read(text, Sort::Truth)? })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that it uses.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        names(&self.node)
    }

    /// Whether it holds in a month.
    ///
    /// # Errors
    /// The figures for want of which that is not known.
    pub fn holds(&self, ground: &Ground<'_>, place: usize, read: &mut Read) -> Result<bool, Unknown> {
        ground.truth(&self.node, place as i64, read)
    }
}

/// What conditions are held against.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The figures.
    pub history: &'a History,
    /// Thresholds by name, times 10¹². They hide figures of the same name.
    pub thresholds: &'a BTreeMap<String, i128>,
}

impl Ground<'_> {
    fn missing(&self, figure: &str, at: i64, reason: Words) -> Unknown {
        let month = self.history.first_month.plus_months(i32::try_from(at).unwrap_or_default());
        vec![Missing { figure: figure.to_owned(), month, reason }]
    }

    /// What stands for a calculation that has no answer: it is said of the first figure in it.
    fn no_answer(&self, node: &Node, at: i64, reason: Words) -> Unknown {
        let figure = names(node).into_iter().find(|name| !self.thresholds.contains_key(*name)).unwrap_or_default();
        self.missing(figure, at, reason)
    }

    fn too_large(&self, node: &Node, at: i64) -> Unknown {
        self.no_answer(node, at, Words::fixed("the numbers are too large", "数值过大", "les nombres sont trop grands"))
    }

    fn number(&self, node: &Node, at: i64, read: &mut Read) -> Result<i128, Unknown> {
        match node {
            Node::Number(number) => Ok(*number),
            Node::Name(name) => {
                if let Some(threshold) = self.thresholds.get(name) {
                    return Ok(*threshold);
                }
                if name == MONTHS_SINCE_LAUNCH {
                    let place = usize::try_from(at).map_err(|_| self.too_large(node, at))?;
                    return Ok(i128::from(self.history.months_since_launch(place)) * ONE);
                }
                if let Ok(place) = usize::try_from(at) {
                    read.figures.insert((name.clone(), place));
                }
                self.history.read(name, at).map_err(|reason| self.missing(name, at, reason))
            }
            Node::Minus(inner) => Ok(-self.number(inner, at, read)?),
            Node::Two(sign, left, right) => {
                let (left_number, right_number) = match (self.number(left, at, read), self.number(right, at, read)) {
                    (Ok(left), Ok(right)) => (left, right),
                    (Err(one), Err(other)) => return Err([one, other].concat()),
                    (Err(unknown), _) | (_, Err(unknown)) => return Err(unknown),
                };
                let answer = match sign {
                    Sign::Add => left_number.checked_add(right_number),
                    Sign::Subtract => left_number.checked_sub(right_number),
                    Sign::Multiply => scaled(left_number, right_number, ONE),
                    Sign::Divide if right_number == 0 => {
                        let reason =
                            Words::fixed("it would divide by zero", "除数为零", "il faudrait diviser par zéro");
                        return Err(self.no_answer(right, at, reason));
                    }
                    _ => scaled(left_number, ONE, right_number),
                };
                answer.ok_or_else(|| self.too_large(node, at))
            }
            Node::Call(function, arguments) => self.called(*function, arguments, at, read),
            // Sorts were checked when the text was read.
            Node::Not(_) => Err(self.too_large(node, at)),
        }
    }

    /// How many months a function is to look over.
    fn count(&self, node: &Node, at: i64, read: &mut Read) -> Result<i64, Unknown> {
        let count = self.number(node, at, read)? / ONE;
        let fits = |count: &i128| (0..=MOST_MONTHS).contains(count);
        Some(count).filter(fits).and_then(|count| i64::try_from(count).ok()).ok_or_else(|| self.too_large(node, at))
    }

    fn called(&self, function: Function, arguments: &[Node], at: i64, read: &mut Read) -> Result<i128, Unknown> {
        let [first, rest @ ..] = arguments else { return Ok(0) };
        let over = |count: i64, from: i64, read: &mut Read| -> Vec<Result<i128, Unknown>> {
            (0..count).rev().map(|back| self.number(first, from - back, read)).collect()
        };
        let all = |found: Vec<Result<i128, Unknown>>| -> Result<Vec<i128>, Unknown> {
            let unknown: Unknown = found.iter().filter_map(|one| one.as_ref().err()).flatten().cloned().collect();
            if unknown.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(unknown) }
        };
        let total = |numbers: &[i128]| numbers.iter().try_fold(0i128, |sum, number| sum.checked_add(*number));
        let too_large = || self.too_large(first, at);
        match function {
            Function::KnownOr => match (self.number(first, at, read), rest.first()) {
                (Err(_), Some(other)) => self.number(other, at, read),
                (known, _) => known,
            },
            Function::Abs => Ok(self.number(first, at, read)?.abs()),
            Function::Min | Function::Max => {
                let one = self.number(first, at, read)?;
                let other = rest.first().map_or(Ok(one), |node| self.number(node, at, read))?;
                Ok(if function == Function::Min { one.min(other) } else { one.max(other) })
            }
            _ => {
                let count = rest.first().map_or(Ok(1), |node| self.count(node, at, read))?;
                if function == Function::Before {
                    return self.number(first, at - count, read);
                }
                let count = count.max(1);
                let found = over(count, at, read);
                if function == Function::KnownMean {
                    let known: Vec<i128> = found.iter().flatten().copied().collect();
                    if known.is_empty() {
                        return all(found).map(|_| 0);
                    }
                    return Ok(total(&known).ok_or_else(too_large)? / known.len() as i128);
                }
                let numbers = all(found)?;
                match function {
                    Function::Mean => Ok(total(&numbers).ok_or_else(too_large)? / i128::from(count)),
                    Function::Sum => total(&numbers).ok_or_else(too_large),
                    Function::Least => Ok(numbers.into_iter().min().unwrap_or_default()),
                    Function::Most => Ok(numbers.into_iter().max().unwrap_or_default()),
                    _ => {
                        let earlier = all(over(count, at - count, read))?;
                        let (now, before) =
                            (total(&numbers).ok_or_else(too_large)?, total(&earlier).ok_or_else(too_large)?);
                        if before <= 0 {
                            let reason = Words::fixed(
                                "there was nothing before to compare with",
                                "之前没有可比较的数值",
                                "il n’y avait rien avant à quoi comparer",
                            );
                            return Err(self.no_answer(first, at - count, reason));
                        }
                        Ok(scaled(now, ONE, before).ok_or_else(too_large)? - ONE)
                    }
                }
            }
        }
    }

    fn truth(&self, node: &Node, at: i64, read: &mut Read) -> Result<bool, Unknown> {
        match node {
            Node::Not(inner) => Ok(!self.truth(inner, at, read)?),
            Node::Two(sign @ (Sign::And | Sign::Or), left, right) => {
                let settles = *sign == Sign::Or;
                match (self.truth(left, at, read), self.truth(right, at, read)) {
                    (Ok(one), _) | (_, Ok(one)) if one == settles => Ok(settles),
                    (Ok(_), Ok(_)) => Ok(!settles),
                    (Err(one), Err(other)) => Err([one, other].concat()),
                    (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
                }
            }
            Node::Two(sign, left, right) => {
                let (one, other) = match (self.number(left, at, read), self.number(right, at, read)) {
                    (Ok(one), Ok(other)) => (one, other),
                    (Err(one), Err(other)) => return Err([one, other].concat()),
                    (Err(unknown), _) | (_, Err(unknown)) => return Err(unknown),
                };
                Ok(match sign {
                    Sign::Less => one < other,
                    Sign::LessOrEqual => one <= other,
                    Sign::Greater => one > other,
                    _ => one >= other,
                })
            }
            Node::Call(Function::Known, arguments) => {
                Ok(arguments.first().is_some_and(|node| self.number(node, at, read).is_ok()))
            }
            Node::Call(function, arguments) => {
                let [first, rest @ ..] = arguments.as_slice() else { return Ok(false) };
                let count = rest.first().map_or(Ok(1), |node| self.count(node, at, read))?.max(1);
                let mut unknown: Unknown = Vec::new();
                // One month that breaks the run settles it, whatever is not known of the others.
                for back in 0..count {
                    let held = match function {
                        Function::Runs => self.truth(first, at - back, read),
                        _ => {
                            let pair = (self.number(first, at - back, read), self.number(first, at - back - 1, read));
                            match pair {
                                (Ok(now), Ok(before)) if *function == Function::Rises => Ok(now > before),
                                (Ok(now), Ok(before)) => Ok(now < before),
                                (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
                            }
                        }
                    };
                    match held {
                        Ok(true) => {}
                        Ok(false) => return Ok(false),
                        Err(more) => unknown.extend(more),
                    }
                }
                if unknown.is_empty() { Ok(true) } else { Err(unknown) }
            }
            Node::Number(_) | Node::Name(_) | Node::Minus(_) => Ok(false),
        }
    }
}

/// `left × right ÷ by`, rounded down to 10⁻¹²; nothing where it is too large.
fn scaled(left: i128, right: i128, by: i128) -> Option<i128> {
    if let Some(product) = left.checked_mul(right) {
        return product.checked_div(by);
    }
    // The whole part and the rest apart, where the product as a whole does not fit.
    let (whole, rest) = (left.checked_div(by)?, left.checked_rem(by)?);
    whole.checked_mul(right)?.checked_add(rest.checked_mul(right)?.checked_div(by)?)
}

fn names(node: &Node) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        match node {
            Node::Name(name) => {
                found.insert(name.as_str());
            }
            Node::Number(_) => {}
            Node::Call(_, arguments) => waiting.extend(arguments),
            Node::Two(_, left, right) => waiting.extend([left.as_ref(), right.as_ref()]),
            Node::Minus(inner) | Node::Not(inner) => waiting.push(inner),
        }
    }
    found
}

fn read(text: &str, wanted: Sort) -> Result<Node, ConditionFault> {
    let fault = |fault: String| ConditionFault { text: text.to_owned(), fault };
    let tokens = tokens(text).map_err(fault)?;
    let mut reader = Reader { tokens: &tokens, place: 0, depth: 0 };
    let (node, sort) = reader.or().map_err(fault)?;
    if let Some(token) = tokens.get(reader.place) {
        return Err(fault(format!("`{token}` stands where the text should end")));
    }
    if sort != wanted {
        return Err(fault(format!("it is {sort}, and {wanted} is wanted")));
    }
    Ok(node)
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut place) = (Vec::new(), 0);
    while let Some(letter) = letters.get(place) {
        let run = |fits: &dyn Fn(char) -> bool| -> String {
            letters[place..].iter().take_while(|letter| fits(**letter)).collect()
        };
        let token = match letter {
            letter if letter.is_whitespace() => {
                place += 1;
                continue;
            }
            letter if letter.is_ascii_digit() => run(&|letter| letter.is_ascii_digit() || letter == '.'),
            letter if letter.is_ascii_alphabetic() => run(&|letter| letter.is_ascii_alphanumeric() || letter == '_'),
            '<' | '>' if letters.get(place + 1) == Some(&'=') => format!("{letter}="),
            '<' | '>' | '+' | '-' | '*' | '/' | '(' | ')' | ',' | '%' => letter.to_string(),
            other => return Err(format!("`{other}` has no meaning here")),
        };
        place += token.chars().count();
        tokens.push(token);
    }
    Ok(tokens)
}

/// The deepest nesting that is read. It keeps a hostile file from exhausting the stack.
const DEEPEST: usize = 40;

struct Reader<'t> {
    tokens: &'t [String],
    place: usize,
    depth: usize,
}

type Sorted = (Node, Sort);

impl<'t> Reader<'t> {
    fn peek(&self) -> &'t str {
        self.tokens.get(self.place).map_or("", String::as_str)
    }

    fn take(&mut self, token: &str) -> bool {
        let there = self.peek() == token && !token.is_empty();
        self.place += usize::from(there);
        there
    }

    fn wanted((node, sort): Sorted, wanted: Sort, beside: &str) -> Result<Node, String> {
        if sort == wanted { Ok(node) } else { Err(format!("`{beside}` takes {wanted}, and {sort} stands there")) }
    }

    fn two(sign: Sign, of: Sort, beside: &str, left: Sorted, right: Sorted) -> Result<Node, String> {
        let (left, right) = (Self::wanted(left, of, beside)?, Self::wanted(right, of, beside)?);
        Ok(Node::Two(sign, Box::new(left), Box::new(right)))
    }

    fn or(&mut self) -> Result<Sorted, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let mut left = self.and()?;
        while self.take("or") {
            let right = self.and()?;
            left = (Self::two(Sign::Or, Sort::Truth, "or", left, right)?, Sort::Truth);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Sorted, String> {
        let mut left = self.not()?;
        while self.take("and") {
            let right = self.not()?;
            left = (Self::two(Sign::And, Sort::Truth, "and", left, right)?, Sort::Truth);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Sorted, String> {
        if self.take("not") {
            let inner = self.comparison()?;
            return Ok((Node::Not(Box::new(Self::wanted(inner, Sort::Truth, "not")?)), Sort::Truth));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Sorted, String> {
        let left = self.sum()?;
        for (token, sign) in
            [("<=", Sign::LessOrEqual), (">=", Sign::GreaterOrEqual), ("<", Sign::Less), (">", Sign::Greater)]
        {
            if self.take(token) {
                let right = self.sum()?;
                return Ok((Self::two(sign, Sort::Number, token, left, right)?, Sort::Truth));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Sorted, String> {
        let mut left = self.product()?;
        loop {
            let (token, sign) = match self.peek() {
                "+" => ("+", Sign::Add),
                "-" => ("-", Sign::Subtract),
                _ => return Ok(left),
            };
            self.place += 1;
            let right = self.product()?;
            left = (Self::two(sign, Sort::Number, token, left, right)?, Sort::Number);
        }
    }

    fn product(&mut self) -> Result<Sorted, String> {
        let mut left = self.single()?;
        loop {
            let (token, sign) = match self.peek() {
                "*" => ("*", Sign::Multiply),
                "/" => ("/", Sign::Divide),
                _ => return Ok(left),
            };
            self.place += 1;
            let right = self.single()?;
            left = (Self::two(sign, Sort::Number, token, left, right)?, Sort::Number);
        }
    }

    fn single(&mut self) -> Result<Sorted, String> {
        let token = self.peek();
        self.place += 1;
        match token {
            "" => Err("it ends where a figure or a number should follow".to_owned()),
            "-" => {
                let inner = self.single()?;
                Ok((Node::Minus(Box::new(Self::wanted(inner, Sort::Number, "-")?)), Sort::Number))
            }
            "(" => {
                let inner = self.or()?;
                if self.take(")") { Ok(inner) } else { Err("a bracket is not closed".to_owned()) }
            }
            token if token.starts_with(|letter: char| letter.is_ascii_digit()) => {
                let number = revenue::money::parse_scaled(token, 12).ok_or(format!("`{token}` is no number"))?;
                let number = if self.take("%") { number / 100 } else { number };
                Ok((Node::Number(number), Sort::Number))
            }
            token if token.starts_with(|letter: char| letter.is_ascii_alphabetic()) => {
                if !self.take("(") {
                    return Ok((Node::Name(token.to_owned()), Sort::Number));
                }
                let Some((_, function, takes, gives, _)) = FUNCTIONS.iter().find(|(name, ..)| *name == token) else {
                    let known = FUNCTIONS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
                    return Err(format!("there is no function `{token}`: use one of {known}"));
                };
                let mut arguments = Vec::new();
                for (place, sort) in takes.iter().enumerate() {
                    if place > 0 && !self.take(",") {
                        return Err(format!("`{token}` takes {} things with commas between", takes.len()));
                    }
                    let argument = self.or()?;
                    arguments.push(Self::wanted(argument, *sort, token)?);
                }
                if !self.take(")") {
                    return Err(format!("`{token}` takes {} and its bracket is not closed after them", takes.len()));
                }
                Ok((Node::Call(*function, arguments), *gives))
            }
            other => Err(format!("`{other}` stands where a figure or a number should")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(figures: &[(&str, &[Option<f64>])]) -> History {
        let none = || Words::fixed("no data", "无数据", "pas de données");
        let readings = |numbers: &[Option<f64>]| -> Vec<Reading> {
            numbers.iter().map(|number| number.map(|n| (n * ONE as f64).round() as i128).ok_or_else(none)).collect()
        };
        let first_month = Day::parse("2024-01-01").unwrap();
        History {
            first_month,
            launch: first_month,
            months: figures.first().map_or(0, |(_, numbers)| numbers.len()),
            figures: figures.iter().map(|(name, numbers)| ((*name).to_owned(), readings(numbers))).collect(),
        }
    }

    fn known(numbers: &[f64]) -> Vec<Option<f64>> {
        numbers.iter().copied().map(Some).collect()
    }

    /// In the last month.
    fn holds(text: &str, history: &History) -> Result<bool, Unknown> {
        let thresholds = BTreeMap::from([("least".to_owned(), ONE / 10), ("months".to_owned(), 2 * ONE)]);
        let ground = Ground { history, thresholds: &thresholds };
        Condition::parse(text).unwrap().holds(&ground, history.months - 1, &mut Read::default())
    }

    #[test]
    fn a_threshold_that_is_just_met_is_met() {
        let history = history(&[("mrr", &known(&[1000.0, 1100.0]))]);
        assert_eq!(holds("mrr / before(mrr, 1) - 1 >= least", &history), Ok(true));
        assert_eq!(holds("mrr / before(mrr, 1) - 1 > 10%", &history), Ok(false));
        assert_eq!(holds("change(mrr, 1) >= 0.1 and not mrr < 1100", &history), Ok(true));
    }

    #[test]
    fn runs_of_months_are_counted_back_from_the_month() {
        let history = history(&[("mrr", &known(&[5.0, 9.0, 8.0, 7.0])), ("churn", &known(&[0.1, 0.1, 0.2, 0.3]))]);
        assert_eq!(holds("falls(mrr, months)", &history), Ok(true));
        assert_eq!(holds("falls(mrr, 3)", &history), Ok(false));
        assert_eq!(holds("rises(churn, 2) and falls(mrr, 2)", &history), Ok(true));
        assert_eq!(holds("runs(mrr >= 7, 3)", &history), Ok(true));
        assert_eq!(holds("runs(mrr >= 8, 3)", &history), Ok(false));
        assert_eq!(holds("least(mrr, 4) >= 5 and most(mrr, 3) <= 9 and sum(mrr, 2) >= 15", &history), Ok(true));
        assert_eq!(holds("months_since_launch >= 4", &history), Ok(true));
        assert_eq!(holds("mean(mrr, 2) < 7.5", &history), Ok(false));
    }

    #[test]
    fn what_lacks_a_figure_is_not_known_unless_the_rest_settles_it() {
        let history = history(&[("mrr", &known(&[1.0, 2.0, 3.0])), ("cac", &[Some(1.0), None, Some(5.0)])]);
        let unknown = holds("change(cac, 1) > least", &history).unwrap_err();
        assert_eq!(unknown.len(), 1);
        assert_eq!((unknown[0].figure.as_str(), unknown[0].month.to_string().as_str()), ("cac", "2024-02-01"));
        assert_eq!(holds("change(cac, 1) > least and mrr > 5", &history), Ok(false));
        assert_eq!(holds("mrr > 2 or change(cac, 1) > least", &history), Ok(true));
        assert!(holds("mrr > 2 and change(cac, 1) > least", &history).is_err());
        assert!(holds("not change(cac, 1) > least", &history).is_err());
        // The run is broken by the month that is known.
        assert_eq!(holds("runs(cac > 5, 2)", &history), Ok(false));
        assert!(holds("runs(cac > 4, 2)", &history).is_err());
        assert_eq!(holds("known_mean(cac, 3) >= 3", &history), Ok(true));
        assert_eq!(holds("known(before(cac, 1))", &history), Ok(false));
        assert_eq!(holds("known_or(before(cac, 1), 7) >= 7 and known_or(cac, 7) <= 5", &history), Ok(true));
        // Before the first month, by nothing, and of what is not there.
        assert!(holds("rises(mrr, 3)", &history).is_err());
        assert!(holds("mrr / (mrr - 3) > 1", &history).is_err());
        assert!(holds("runway < 6", &history).is_err());
    }

    #[test]
    fn what_was_read_is_kept() {
        let history = history(&[("mrr", &known(&[3.0, 2.0, 1.0])), ("churn", &known(&[0.0, 0.0, 0.0]))]);
        let (thresholds, mut read) = (BTreeMap::new(), Read::default());
        let ground = Ground { history: &history, thresholds: &thresholds };
        assert_eq!(Condition::parse("falls(mrr, 1)").unwrap().holds(&ground, 2, &mut read), Ok(true));
        let wanted = BTreeSet::from([("mrr".to_owned(), 1), ("mrr".to_owned(), 2)]);
        assert_eq!(read.figures, wanted);
    }

    #[test]
    fn a_text_that_says_nothing_is_refused_with_what_is_wrong() {
        for (text, words) in [
            ("mrr", "it is a number, and a condition is wanted"),
            ("mrr >", "ends where a figure"),
            ("mrr > 1 2", "`2` stands where the text should end"),
            ("rise(mrr, 2)", "there is no function `rise`: use one of before"),
            ("rises(mrr)", "`rises` takes 2 things"),
            ("rises(mrr > 1, 2)", "`rises` takes a number, and a condition stands there"),
            ("mrr and 1", "`and` takes a condition"),
            ("(mrr > 1", "bracket is not closed"),
            ("mrr = 1", "`=` has no meaning"),
            ("1.2.3 > mrr", "`1.2.3` is no number"),
        ] {
            let fault = Condition::parse(text).unwrap_err().to_string();
            assert!(fault.contains(words), "{text}: {fault}");
        }
        let deep = format!("{}mrr > 1{}", "(".repeat(100), ")".repeat(100));
        assert!(Condition::parse(&deep).unwrap_err().to_string().contains("nested"));
        assert!(Formula::parse("mrr > 1").is_err() && Formula::parse("mean(mrr, 3) * 2").is_ok());
    }

    #[test]
    fn large_amounts_are_multiplied_without_loss() {
        let billion = 1_000_000_000 * ONE;
        assert_eq!(scaled(billion, 3 * ONE / 2, ONE), Some(billion * 3 / 2));
        assert_eq!(scaled(billion * 1000, billion / 1_000_000, ONE), Some(1_000_000_000_000_000 * ONE));
        assert_eq!(scaled(i128::MAX, i128::MAX, 1), None);
    }
}
