//! The table of finding codes: each with its severity, a title, and the page that explains it.

use std::fmt::Write as _;

use super::finding::Severity;

/// A class of finding. Codes are stable: a retired one is not given out again.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `BUR0012`.
    pub id: &'static str,
    /// Whether it keeps a document from being used.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it is a finding, and what to do.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = $title]
            pub(crate) static $name: Code =
                Code { id: $id, severity: Severity::$severity, title: $title, explanation: $explanation };
        )*

        /// Every code, in order.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    UNREADABLE_FILE = "BUR0001", Error, "A file cannot be read",
        "The file is there, but the system refuses to give its bytes. What it holds is not known, so the clients in its folder and below, whose defaults it may hold, are left as they are. Make it readable, or take it out of the folder.";
    NOT_A_FILE = "BUR0002", Error, "Not a regular file",
        "A pipe, a socket or a device bears the name of a manifest. It is not opened. Remove it or rename it.";
    LINK_LEAVES = "BUR0003", Error, "A symbolic link leaves the folder",
        "Links are followed inside the folder of manifests only, so that nobody who writes a manifest can show a file from elsewhere. Copy the file into the folder instead. A link that leads nowhere or in a circle is refused in the same way.";
    TOO_LARGE = "BUR0004", Error, "A file or document is too large",
        "A file has at most 1 MiB, a document at most 64 KiB. Split it: any number of files, and any number of documents in a file, make one set of manifests.";
    ENCODING = "BUR0005", Error, "Not UTF-8 text",
        "Manifests are UTF-8. A byte order mark and Windows line ends are fine; UTF-16 and other encodings are not. Save the file as UTF-8.";
    CONFIG_IGNORED = "BUR0006", Warning, "A policy among the manifests is ignored",
        "Guard rails, the address of the API and the token are the operator's word, never a manifest's: who opens a pull request must not be able to lift a guard rail. A document of such a kind is ignored, and so is a file that bears such a name (`policy.yaml`, `.bursar.yaml`, `bursar.toml`) and holds no manifests. Give the file to the command with --policy or --config, from outside the folder.";
    SYNTAX = "BUR0010", Error, "Not valid YAML",
        "The document cannot be read as YAML 1.2. The clients that it held are left as they are, the other documents go on.";
    TAB = "BUR0011", Error, "A tab as indentation",
        "YAML is indented with spaces; a tab there is not allowed.";
    AFTER_END = "BUR0012", Error, "Text after the end of a document",
        "The line `...` ends a document. Another one begins with `---`.";
    ANCHOR = "BUR0013", Error, "An anchor or alias",
        "Anchors (`&name`) and aliases (`*name`) are not read: a few lines of them can stand for gigabytes, and they hide what a reviewer should see. Use a MemberGroup or ClientDefaults to say a thing once.";
    MERGE_KEY = "BUR0014", Error, "A merge key",
        "`<<` is not read. Use a MemberGroup or ClientDefaults to say a thing once.";
    TAG = "BUR0015", Error, "A tag",
        "Tags (`!include`, `!!str`) are not read. Write the plain value, in quotes where it is to be text.";
    TOO_DEEP = "BUR0016", Error, "Nested too deeply",
        "A manifest is nested a few levels deep; beyond 32 it is not read.";
    DUPLICATE_KEY = "BUR0017", Error, "A key is given twice",
        "Which of the two is meant cannot be known. Remove one.";
    KEY_KIND = "BUR0018", Error, "A key that is not text",
        "The keys of a manifest are plain words.";
    DIRECTIVE = "BUR0019", Error, "A YAML directive",
        "Lines that begin with `%` are not read. Remove the line.";
    API_VERSION = "BUR0020", Error, "Unknown apiVersion",
        "This version of the program reads `apiVersion: bursar.dev/v1`. Documents of other programs belong into another folder.";
    KIND = "BUR0021", Error, "Unknown kind",
        "The kinds are ClientAccount, MemberGroup, ClientDefaults and Offboarding.";
    UNKNOWN_FIELD = "BUR0022", Error, "Unknown field",
        "A field that nobody reads is most often a misspelt one, and what it was to say would be lost. Correct it or remove it.";
    MISSING_FIELD = "BUR0023", Error, "A required field is missing",
        "A document has `apiVersion`, `kind`, `metadata.name` and `spec`; a ClientAccount also needs `accountName`, and `notificationEmail` here or from its ClientDefaults.";
    WRONG_TYPE = "BUR0024", Error, "A value of the wrong type",
        "Text, a list, a mapping, or true or false is expected here.";
    QUOTES = "BUR0025", Error, "A value that needs quotes",
        "YAML reads `no`, `0123`, `1e3`, `~` and an empty value as something other than text, and not every reader agrees as what. Put it in quotes where text is meant; leave the line out where nothing is meant.";
    RESOURCE_NAME = "BUR0026", Error, "Not a valid metadata.name",
        "A name is a DNS label: 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit.";
    ACCOUNT_NAME = "BUR0027", Error, "Not a valid account name",
        "The name of an account is 1 to 255 characters of visible text, without spaces around it, without control characters and without invisible or direction-changing ones, which make a name look like another.";
    EMAIL = "BUR0028", Error, "Not a valid email address",
        "A plain address: at most 254 characters of ASCII, no quotes, no display name, no IP address, with a top-level domain.";
    ACCOUNT_ID = "BUR0029", Error, "Not a valid account id",
        "The id of an account as the service shows it, in quotes or as a plain number.";
    UNKNOWN_VALUE = "BUR0030", Error, "Not one of the known values",
        "`access` is `full` or `limited`; `membership` is `additive` or `exclusive`.";
    PLAN = "BUR0031", Error, "Not a valid plan",
        "The identifier of a plan or the name of a family of plans: 1 to 64 of a-z, 0-9, `-`, `_` and `.`; or `none`.";
    LABEL = "BUR0032", Error, "Not a valid label",
        "Keys and values of labels are at most 63 of a-z, A-Z, 0-9, `-`, `_`, `.` and `/`; a value may be empty.";
    TOO_MANY_FINDINGS = "BUR0033", Error, "More findings than are shown",
        "Of one document the first 50 findings are shown, of one file 100 errors. Correct them, and look again.";
    REASON = "BUR0034", Error, "Not a valid reason",
        "The reason of an Offboarding is one line of at most 500 visible characters.";
    PLACEHOLDER = "BUR0035", Error, "Unknown placeholder",
        "The one placeholder in an email address is `{name}`, which stands for metadata.name.";
    DUPLICATE_NAME = "BUR0040", Error, "A name is used twice",
        "metadata.name is unique among the documents of a kind. Which of them is meant cannot be known, so none is used.";
    TWO_DEFAULTS = "BUR0041", Error, "Two ClientDefaults in one folder",
        "A folder has at most one ClientDefaults; which of the two is meant cannot be known, so the clients below are left as they are.";
    UNKNOWN_GROUP = "BUR0042", Error, "Unknown member group",
        "`memberGroups` names a MemberGroup by its metadata.name.";
    LISTED_TWICE = "BUR0043", Error, "A person is listed twice",
        "Email addresses compare without regard to letter case. Remove one of the two.";
    ACCESS_CONFLICT = "BUR0044", Error, "Two groups give a person different access",
        "List the person in the client itself to say which access is meant, or set the groups right.";
    LISTED_AND_OFFBOARDED = "BUR0045", Error, "A person is both listed and offboarded",
        "An Offboarding takes a person out of every managed account. Remove the person here, or the Offboarding.";
    MEMBER_IS_NOTIFICATION = "BUR0046", Error, "A member is the notification email",
        "The notification email of an account cannot be the user email of one of its members (rule 16 of the account API). Use another address for notifications.";
    SAME_ACCOUNT_NAME = "BUR0047", Error, "Two clients with one account name",
        "Account names are not unique at the service, so two clients of one name cannot be told apart. Give both an `accountId`, or another name. Names compare without regard to letter case, normal form and white space.";
    SAME_ACCOUNT_ID = "BUR0048", Error, "Two clients with one accountId",
        "An account belongs to one client.";
    ONE_MEMBER_PLAN = "BUR0049", Error, "Members on a plan that takes none",
        "On this plan the owner is the only member (rule 11 of the account API); without a plan an account takes no members at all. Choose a plan for several members, `teams`, or write `members: []` and `memberGroups: []`.";
    LOOK_ALIKE = "BUR0050", Warning, "Two account names look alike",
        "The names differ, but a person can hardly see how: a letter of another alphabet, most often. If they are one client, write the same name; if they are two, make the difference plain.";
    MIXED_SCRIPTS = "BUR0051", Warning, "An account name mixes alphabets",
        "A word is written with letters of more than one alphabet that look alike. Such names are used to be mistaken for others.";
    SHARED_DOMAIN = "BUR0052", Warning, "An email domain in several client accounts",
        "People of one customer are about to get into accounts of several. Each customer gets an account of their own: two customers in one account could manage each other's domains (rule 19 of the account API). If the domain is the agency's own, say so with --own-domain; domains of notification emails count as own, and those of public mail services are not looked at.";
    TOO_MANY_WARNINGS = "BUR0053", Warning, "More warnings than are shown",
        "Of one file the first 100 warnings are shown. Correct them, and look again.";
    ROLE_AND_ACCESS = "BUR0054", Error, "Both access and role are given",
        "A role is the service's exact word for what a member may do, and access follows from it. Write one of the two.";
}

/// `docs/findings.md`: every code with its page.
pub fn document() -> String {
    let mut out = String::from(
        "# Findings\n\nEvery finding of `bursar validate`, by its code.\nAn error keeps the clients that depend on the document from being changed; a warning does not.\n\n<!-- Generated from the table of codes. Renew with: BURSAR_RENEW=1 cargo test --test it generated -->\n",
    );
    for code in ALL {
        let Code { id, severity, title, explanation } = code;
        let _ = write!(out, "\n## {id}: {title}\n\n*{}.* {explanation}\n", severity.word());
    }
    out
}
