//! The vocabulary that manifests and the account API share: names, addresses, money.
//!
//! Each type is parsed at the edge and trusted inside. What people or servers wrote is
//! foreign text: `Display` shows it inert (see [`text`]), `as_str` gives it raw.

mod clock;
mod email;
mod ids;
mod mask;
mod money;
mod repository;
pub mod text;

pub use clock::{Clock, MachineClock};
pub use email::{Email, EmailError};
pub use ids::{
    Access, AccountId, AccountName, ClientName, ClientNameError, MemberId, PlanFamily, PlanId, RequestId, Role,
};
pub use mask::{mask, mask_address, mask_clear};
pub use money::{Money, MoneyError};
pub use repository::RepositoryName;
pub use text::Foreign;
