//! A text in the three languages of the product.

use std::borrow::Cow;
use std::fmt;

/// A language that the product speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Language {
    /// English, also the answer to a tag that is not known.
    #[default]
    English,
    /// Chinese, in simplified characters.
    Chinese,
    /// French.
    French,
}

impl Language {
    /// The three, in the order in which the catalogue writes them.
    pub const ALL: [Language; 3] = [Language::English, Language::Chinese, Language::French];

    /// The key under which the catalogue keeps this language: `en`, `zh` or `fr`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
            Language::French => "fr",
        }
    }

    /// The language of a tag such as `fr`, `fr-CA` or `zh_CN`; English when it is another.
    pub fn of_tag(tag: &str) -> Language {
        let main = tag.split(['-', '_', '.']).next().unwrap_or_default();
        Language::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(main)).unwrap_or_default()
    }
}

/// One text in every language of the product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Words {
    /// English.
    pub en: Cow<'static, str>,
    /// Chinese.
    pub zh: Cow<'static, str>,
    /// French.
    pub fr: Cow<'static, str>,
}

impl Words {
    /// Words that are part of the program.
    pub const fn fixed(en: &'static str, zh: &'static str, fr: &'static str) -> Words {
        Words { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh), fr: Cow::Borrowed(fr) }
    }

    /// Words that were read or put together.
    pub fn owned(en: String, zh: String, fr: String) -> Words {
        Words { en: Cow::Owned(en), zh: Cow::Owned(zh), fr: Cow::Owned(fr) }
    }

    /// The same with a placeholder filled in; as it is where it has none.
    pub fn with(self, placeholder: &str, text: impl FnOnce() -> String) -> Words {
        if !self.en.contains(placeholder) {
            return self;
        }
        let text = text();
        let fill = |words: &str| words.replace(placeholder, &text);
        Words::owned(fill(&self.en), fill(&self.zh), fill(&self.fr))
    }

    /// The text in one language.
    pub fn say(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
            Language::French => &self.fr,
        }
    }
}

/// The English text: what logs and errors print.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_language_with_or_without_a_region() {
        assert_eq!(Language::of_tag("fr-CA"), Language::French);
        assert_eq!(Language::of_tag("zh_CN.UTF-8"), Language::Chinese);
        assert_eq!(Language::of_tag("de"), Language::English);
        assert_eq!(Language::of_tag(""), Language::English);
    }
}
