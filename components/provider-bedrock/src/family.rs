//! Whose models they are, and what follows from that: the service has one protocol, and leaves
//! what is special to fields of each maker.
//!
//! Not a list of models: it reads identifiers.

/// Makers whose models are asked in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Claude,
    Nova,
    OpenAi,
    Mistral,
    Other,
}

/// Claude before the prompt cache.
const CLAUDE_WITHOUT_CACHE: &[&str] = &[
    "claude-v2",
    "claude-instant",
    "claude-3-haiku",
    "claude-3-sonnet",
    "claude-3-opus",
    "claude-3-5-sonnet-20240620",
];

/// What stands before the identifier of a model that is served across regions.
const ACROSS_REGIONS: &[&str] =
    &["us.", "us-gov.", "eu.", "apac.", "ap.", "jp.", "au.", "ca.", "sa.", "global."];

impl Family {
    /// The family an identifier tells.
    pub fn of(model: &str) -> Self {
        match model {
            model if model.contains("anthropic.claude") => Self::Claude,
            model if model.contains("amazon.nova") => Self::Nova,
            model if model.contains("openai.") => Self::OpenAi,
            model if model.contains("mistral.") => Self::Mistral,
            _ => Self::Other,
        }
    }

    /// The prompt cache is known to work.
    pub fn caches(self, model: &str) -> bool {
        match self {
            Self::Claude => !CLAUDE_WITHOUT_CACHE.iter().any(|old| model.contains(old)),
            Self::Nova => true,
            Self::OpenAi | Self::Mistral | Self::Other => false,
        }
    }

    /// A mark may stand behind the tools, not only behind instructions and messages.
    pub fn caches_tools(self) -> bool {
        self != Self::Nova
    }

    /// Who wants thinking back. Signatures of Claude hold wherever it is served; those of others
    /// only for the same model.
    pub fn keeper(self, model: &str) -> String {
        match self {
            Self::Claude => "claude".to_owned(),
            Self::Nova | Self::OpenAi | Self::Mistral | Self::Other => format!("bedrock/{model}"),
        }
    }
}

/// The identifier of the model behind a profile across regions.
pub fn within_region(model: &str) -> &str {
    ACROSS_REGIONS.iter().find_map(|prefix| model.strip_prefix(prefix)).unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_tell_the_family() {
        for (model, family, caches) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", Family::Claude, false),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Claude, true),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
                Family::Nova,
                true,
            ),
            ("openai.gpt-oss-120b-1:0", Family::OpenAi, false),
            ("us.mistral.pixtral-large-2502-v1:0", Family::Mistral, false),
            ("deepseek.r1-v1:0", Family::Other, false),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
            assert_eq!(family.caches(model), caches, "{model}");
        }
        assert_eq!(within_region("us.anthropic.claude-x"), "anthropic.claude-x");
        assert_eq!(within_region("anthropic.claude-x"), "anthropic.claude-x");
    }
}
