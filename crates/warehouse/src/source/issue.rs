//! Everything for which a row may be refused: declared once in [`ISSUES`], with what it means and how to mend it in
//! every language of the product.

use std::fmt;

use outlook::wording::Words;

macro_rules! issues {
    ($(
        $code:ident $name:literal
        [$means:literal $means_zh:literal $means_fr:literal]
        [$mend:literal $mend_zh:literal $mend_fr:literal];
    )+) => {
        /// Why a row was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $means] $code,)+ }

        /// Every code with its words, in the order of [`Code`].
        pub const ISSUES: &[IssueWords] = &[$(IssueWords {
            code: Code::$code,
            name: $name,
            means: Words::fixed($means, $means_zh, $means_fr),
            mend: Words::fixed($mend, $mend_zh, $mend_fr),
        },)+];
    };
}

/// A row of the table of issues.
#[derive(Debug)]
pub struct IssueWords {
    /// The code.
    pub code: Code,
    /// Its name in reports and in the quarantine.
    pub name: &'static str,
    /// What it means.
    pub means: Words,
    /// How to mend it.
    pub mend: Words,
}

issues! {
    FieldTooLong "field-too-long"
        ["A field is longer than 1 MiB." "有一个字段超过 1 MiB。" "Un champ dépasse 1 Mio."]
        ["shorten the field in the source, or leave its column out of the export" "在来源中缩短该字段，或导出时不含该列" "raccourcissez le champ à la source, ou laissez sa colonne hors de l’export"];
    RecordTooLong "record-too-long"
        ["A record is longer than 4 MiB." "有一条记录超过 4 MiB。" "Un enregistrement dépasse 4 Mio."]
        ["look for a quotation mark that is never closed, or shorten the record" "检查是否有未闭合的引号，或缩短该记录" "cherchez un guillemet qui n’est jamais fermé, ou raccourcissez l’enregistrement"];
    TooManyColumns "too-many-columns"
        ["A record has more than 10,000 columns." "有一条记录超过 10,000 列。" "Un enregistrement a plus de 10 000 colonnes."]
        ["check the delimiter, or export fewer columns" "检查分隔符，或减少导出的列" "vérifiez le séparateur, ou exportez moins de colonnes"];
    QuoteUnclosed "quote-unclosed"
        ["A quoted field is not closed before the end of the file." "带引号的字段到文件末尾仍未闭合。" "Un champ entre guillemets n’est pas fermé avant la fin du fichier."]
        ["close the quotation mark (double it inside a field); a file cut short must be exported again" "补上引号（字段内的引号要写两次）；被截断的文件须重新导出" "fermez le guillemet (doublez-le à l’intérieur d’un champ) ; un fichier tronqué doit être exporté de nouveau"];
    QuoteStray "quote-stray"
        ["Text follows the closing quotation mark of a field." "字段的结束引号之后还有文字。" "Du texte suit le guillemet fermant d’un champ."]
        ["double the quotation marks inside a quoted field" "带引号的字段内，引号要写两次" "doublez les guillemets à l’intérieur d’un champ entre guillemets"];
    NotText "not-text"
        ["The row is not valid in the file's encoding." "该行不符合文件的编码。" "La ligne n’est pas valide dans l’encodage du fichier."]
        ["give the encoding, for instance `--encoding windows-1252`" "指定编码，例如 `--encoding windows-1252`" "indiquez l’encodage, par exemple `--encoding windows-1252`"];
    NulByte "nul-byte"
        ["The row holds a NUL byte." "该行含有 NUL 字节。" "La ligne contient un octet NUL."]
        ["remove NUL bytes: the file was damaged or is not text" "删除 NUL 字节：文件已损坏，或不是文本" "retirez les octets NUL : le fichier est abîmé ou n’est pas du texte"];
    FieldsMissing "fields-missing"
        ["The row has fewer fields than the header." "该行的字段少于表头。" "La ligne a moins de champs que l’en-tête."]
        ["complete the row; a row cut short at the end of the file means that the file is not whole" "补全该行；若文件末尾的行被截断，说明文件不完整" "complétez la ligne ; une ligne coupée en fin de fichier veut dire que le fichier n’est pas entier"];
    FieldsExtra "fields-extra"
        ["The row has more fields than the header." "该行的字段多于表头。" "La ligne a plus de champs que l’en-tête."]
        ["quote fields that hold the delimiter" "含有分隔符的字段要加引号" "mettez entre guillemets les champs qui contiennent le séparateur"];
    JsonUnreadable "json-unreadable"
        ["The line is not one JSON object." "该行不是一个 JSON 对象。" "La ligne n’est pas un objet JSON."]
        ["write one JSON object a line" "每行写一个 JSON 对象" "écrivez un objet JSON par ligne"];
    JsonKeyTwice "json-key-twice"
        ["The object names one key twice." "对象中同一个键出现了两次。" "L’objet nomme deux fois la même clé."]
        ["remove one of the two" "删去其中一个" "retirez l’une des deux"];
    ValueMissing "value-missing"
        ["A column that every row needs is empty." "每行必填的一列是空的。" "Une colonne exigée à chaque ligne est vide."]
        ["fill it in, or give one value for all rows with `--set column=value`" "填写该值，或用 `--set column=value` 为所有行给定一个值" "remplissez-la, ou donnez une valeur à toutes les lignes avec `--set column=value`"];
    NumberUnreadable "number-unreadable"
        ["The text is not a number." "这段文字不是数字。" "Le texte n’est pas un nombre."]
        ["write digits with at most one decimal sign, such as 1234.56" "只写数字，最多一个小数点，例如 1234.56" "écrivez des chiffres avec au plus un signe décimal, comme 1234.56"];
    NumberAmbiguous "number-ambiguous"
        ["The number can be read in two ways." "这个数字有两种读法。" "Le nombre peut se lire de deux façons."]
        ["say which sign the file uses with `--decimal point` or `--decimal comma`" "用 `--decimal point` 或 `--decimal comma` 说明文件所用的小数点" "dites quel signe le fichier emploie avec `--decimal point` ou `--decimal comma`"];
    NumberHabit "number-habit"
        ["The number is not written the way the rest of the file is." "这个数字的写法与文件其余部分不同。" "Le nombre n’est pas écrit comme dans le reste du fichier."]
        ["write it like the others, or choose with `--decimal point` or `--decimal comma`" "改成与其他行一致，或用 `--decimal point` 或 `--decimal comma` 指定" "écrivez-le comme les autres, ou choisissez avec `--decimal point` ou `--decimal comma`"];
    NumberTooFine "number-too-fine"
        ["The number has more than 12 decimals." "这个数字的小数超过 12 位。" "Le nombre a plus de 12 décimales."]
        ["round it in the source" "在来源中四舍五入" "arrondissez-le à la source"];
    NumberTooLarge "number-too-large"
        ["The number is larger than can be kept." "这个数字大到无法保存。" "Le nombre est trop grand pour être gardé."]
        ["check the number; amounts are in major units, not in cents" "检查该数字；金额以元为单位，而不是分" "vérifiez le nombre ; les montants sont en unités, pas en centimes"];
    NumberNotWhole "number-not-whole"
        ["The number must be whole." "这个数字必须是整数。" "Le nombre doit être entier."]
        ["write a whole number" "写一个整数" "écrivez un nombre entier"];
    NumberNegative "number-negative"
        ["The number must not be negative." "这个数字不能为负。" "Le nombre ne doit pas être négatif."]
        ["write zero or more" "写零或更大的数" "écrivez zéro ou plus"];
    NumberNotPositive "number-not-positive"
        ["The number must be above zero." "这个数字必须大于零。" "Le nombre doit être supérieur à zéro."]
        ["write a number above zero" "写一个大于零的数" "écrivez un nombre supérieur à zéro"];
    NumberBelowOne "number-below-one"
        ["The number must be at least 1." "这个数字至少为 1。" "Le nombre doit être au moins 1."]
        ["write 1 or more, or leave it empty" "写 1 或更大的数，或留空" "écrivez 1 ou plus, ou laissez vide"];
    PercentOutside "percent-outside"
        ["The percentage is not within 0 to 100." "百分比不在 0 到 100 之间。" "Le pourcentage n’est pas entre 0 et 100."]
        ["write 20 for 20 %" "20% 写作 20" "écrivez 20 pour 20 %"];
    SymbolContradicts "symbol-contradicts"
        ["The currency sign of the amount does not fit the row's currency." "金额的货币符号与该行的货币不符。" "Le signe monétaire du montant ne va pas avec la devise de la ligne."]
        ["remove the sign or correct the currency" "去掉符号，或更正货币" "retirez le signe ou corrigez la devise"];
    AmountTooLarge "amount-too-large"
        ["The amount times the quantity is larger than the ledger can hold." "金额乘以数量大到账本无法容纳。" "Le montant multiplié par la quantité dépasse ce que le grand livre peut tenir."]
        ["check the amount; it is in major units, not in cents" "检查金额；以元为单位，而不是分" "vérifiez le montant ; il est en unités, pas en centimes"];
    CurrencyUnknown "currency-unknown"
        ["The text is not an ISO 4217 currency code." "这段文字不是 ISO 4217 货币代码。" "Le texte n’est pas un code de devise ISO 4217."]
        ["write a code such as USD or EUR" "写 USD、EUR 这样的代码" "écrivez un code tel que USD ou EUR"];
    DateUnreadable "date-unreadable"
        ["The text is not a date or an instant." "这段文字不是日期或时刻。" "Le texte n’est ni une date ni un instant."]
        ["write 2024-01-31 or 2024-01-31T10:00:00Z" "写 2024-01-31 或 2024-01-31T10:00:00Z" "écrivez 2024-01-31 ou 2024-01-31T10:00:00Z"];
    DateAmbiguous "date-ambiguous"
        ["The day and the month of the date cannot be told apart." "无法分辨日期中的日与月。" "On ne peut distinguer le jour du mois dans la date."]
        ["say which comes first with `--dates dmy` or `--dates mdy`" "用 `--dates dmy` 或 `--dates mdy` 说明哪个在前" "dites lequel vient d’abord avec `--dates dmy` ou `--dates mdy`"];
    DateHabit "date-habit"
        ["The date is not written the way the rest of the file is." "日期的写法与文件其余部分不同。" "La date n’est pas écrite comme dans le reste du fichier."]
        ["write it like the others, or choose with `--dates`" "改成与其他行一致，或用 `--dates` 指定" "écrivez-la comme les autres, ou choisissez avec `--dates`"];
    DateNotOnCalendar "date-not-on-calendar"
        ["The calendar has no such day." "日历上没有这一天。" "Ce jour n’existe pas au calendrier."]
        ["correct the day" "更正日期" "corrigez le jour"];
    DateOutside "date-outside"
        ["The date is not within the years 1900 to 9998." "日期不在 1900 年到 9998 年之间。" "La date n’est pas entre les années 1900 et 9998."]
        ["correct the year; leave an end empty for `never`" "更正年份；`never` 表示的结束日期请留空" "corrigez l’année ; laissez une fin vide pour `never`"];
    DateHasTime "date-has-time"
        ["A day is wanted and an instant was given." "此处要的是日期，给出的却是时刻。" "Un jour est attendu et un instant est donné."]
        ["write the day only" "只写日期" "n’écrivez que le jour"];
    EpochUnmapped "epoch-unmapped"
        ["A number stands where a date is wanted." "应为日期之处是一个数字。" "Un nombre se trouve là où une date est attendue."]
        ["if it is Unix time say so: `--map column=header@epoch` (or `@epoch_millis`)" "若是 Unix 时间，请注明：`--map column=header@epoch`（或 `@epoch_millis`）" "si c’est un temps Unix, dites-le : `--map column=header@epoch` (ou `@epoch_millis`)"];
    WordUnknown "word-unknown"
        ["The word is not one of those that the column takes." "该列不接受这个词。" "Le mot n’est pas de ceux que la colonne accepte."]
        ["use one of the words listed" "使用所列的词之一" "employez l’un des mots de la liste"];
    BooleanUnknown "boolean-unknown"
        ["The text is neither true nor false." "这段文字既不是真也不是假。" "Le texte n’est ni vrai ni faux."]
        ["write true or false" "写 true 或 false" "écrivez true ou false"];
    TiersUnreadable "tiers-unreadable"
        ["The tiers cannot be read." "无法读取阶梯价格。" "Les paliers ne peuvent être lus."]
        ["write `up_to:unit:flat` separated by semicolons, rising, the last one up to `inf`" "写 `up_to:unit:flat`，以分号分隔，由小到大，最后一级到 `inf`" "écrivez `up_to:unit:flat` séparés par des points-virgules, en montant, le dernier jusqu’à `inf`"];
    SpanEmpty "span-empty"
        ["The end is the same as the start." "结束与开始相同。" "La fin est la même que le début."]
        ["correct the end, or leave the row out: nothing holds on an empty span" "更正结束日期，或去掉该行：空的期间里什么都不成立" "corrigez la fin, ou laissez la ligne de côté : rien ne vaut sur une durée vide"];
    SpanBackwards "span-backwards"
        ["The end comes before the start." "结束早于开始。" "La fin précède le début."]
        ["correct the dates, or their order with `--dates dmy` or `--dates mdy`" "更正日期，或用 `--dates dmy` 或 `--dates mdy` 更正其顺序" "corrigez les dates, ou leur ordre avec `--dates dmy` ou `--dates mdy`"];
    SameTwice "same-twice"
        ["Two columns that must differ are the same." "必须不同的两列相同。" "Deux colonnes qui doivent différer sont identiques."]
        ["correct one of the two" "更正其中之一" "corrigez l’une des deux"];
    KindUnknown "kind-unknown"
        ["The row does not say which kind of fact it is, or names one that there is not." "该行没有说明是哪种事实，或写了不存在的种类。" "La ligne ne dit pas de quel type de fait il s’agit, ou en nomme un qui n’existe pas."]
        ["write the name of a kind of facts as `kind`" "在 `kind` 中写明事实的种类" "écrivez le nom d’un type de faits dans `kind`"];
    StatementUnclear "statement-unclear"
        ["It cannot be told where the columns of the row are." "无法判断该行的各列在哪里。" "On ne peut dire où sont les colonnes de la ligne."]
        ["write the columns beside `kind`, or all of them in `values`; or in `withdraw` the key of a fact that holds no more" "把各列写在 `kind` 旁边，或全部写在 `values` 中；或在 `withdraw` 中写不再成立的事实的键" "écrivez les colonnes à côté de `kind`, ou toutes dans `values` ; ou dans `withdraw` la clé d’un fait qui ne vaut plus"];
    FactUnknown "fact-unknown"
        ["A fact that was never stated cannot be withdrawn." "从未陈述过的事实无法撤回。" "Un fait qui n’a jamais été énoncé ne peut être retiré."]
        ["check the key and the source; state the fact before it is withdrawn" "检查键与来源；先陈述，再撤回" "vérifiez la clé et la source ; énoncez le fait avant de le retirer"];
}

impl Code {
    /// Its row of the table.
    #[must_use]
    pub fn words(self) -> &'static IssueWords {
        // The table and the codes come out of one macro, in one order.
        &ISSUES[self as usize]
    }

    /// Its name in reports and in the quarantine.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().name
    }

    /// A code by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ISSUES.iter().find(|words| words.name == name).map(|words| words.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why one row was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The code.
    pub code: Code,
    /// The line of the file on which the row begins (for Parquet the number of the row, from 1).
    pub row: u64,
    /// The column of the kind, where one is to blame.
    pub column: Option<&'static str>,
    /// What happened, with the text that did it.
    pub message: String,
}

impl Issue {
    /// How to mend it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        &self.code.words().mend.en
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.row)?;
        if let Some(column) = self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {} [{}]; {}", self.message, self.code, self.help())
    }
}

/// A text as it is shown in a message: short, on one line, without control characters.
#[must_use]
pub fn shown(text: &str) -> String {
    const CHARACTERS: usize = 60;
    let mut shown: String = text
        .chars()
        .take(CHARACTERS)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect();
    if text.chars().nth(CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
