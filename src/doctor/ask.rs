//! Asking a server: nothing but GET, and nothing more once it is clear that nobody answers.

use crate::plan::ApiInfo;
use crate::provider::{ApiErrorKind, BaseUrl, Capabilities, Examine, Read};

use super::profile::Profile;

/// Whom to ask.
#[allow(missing_debug_implementations, reason = "drivers have none")]
pub struct Asked<'a> {
    /// Which API.
    pub api: ApiInfo,
    /// Where it is.
    pub base_url: BaseUrl,
    /// The operator's word on the extensions.
    pub overruled: Option<Capabilities>,
    /// The usual questions.
    pub reader: &'a dyn Read,
    /// The further ones.
    pub examiner: &'a dyn Examine,
}

/// Looks a server over, in four requests at the most where its plans are one page.
pub async fn ask(asked: Asked<'_>) -> Profile {
    let Asked { api, base_url, overruled, reader, examiner } = asked;
    let greeting = examiner.greet().await;
    // Whoever does not answer the first question, or refuses the token, answers no other one.
    let goes_on = match &greeting {
        Ok(_) => true,
        Err(error) => matches!(error.kind, ApiErrorKind::Refused { status: 404, .. }),
    };
    let mut profile = Profile {
        api,
        base_url,
        greeting,
        offer: None,
        named: None,
        overruled,
        paging: None,
        quota: None,
        probed: None,
        requests: 0,
    };
    if goes_on {
        profile.offer = Some(reader.offer().await);
        profile.named = match &profile.offer {
            Some(Ok(offer)) if offer.account_management => Some(examiner.named_capabilities().await),
            _ => None,
        };
        profile.paging = Some(examiner.paging().await);
    }
    profile.quota = reader.line().quota();
    profile.requests = reader.line().requests_sent();
    profile
}
