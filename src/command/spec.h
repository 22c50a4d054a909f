// CommandSpec: all that the server knows of a command besides how to run it.
//
// COMMAND INFO/DOCS/GETKEYS, arity checks, ACL categories, cluster routing, the fuzz grammar and
// the docs page are derived from it. Specs are constants that stand next to their handler; nothing
// is allocated and nothing registers itself (src/commands/all.cc lists the families).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "src/command/outcome.h"

namespace hearth {

class CommandContext;
struct Services;

using Handler = Outcome (*)(CommandContext&);

// Rights and duties of a command, and where it may run. Names as COMMAND INFO prints them.
enum class Flag : std::uint32_t {
  kNone = 0,
  kWrite = 1U << 0,
  kReadonly = 1U << 1,
  kDenyOom = 1U << 2,
  kAdmin = 1U << 3,
  kPubsub = 1U << 4,
  kNoScript = 1U << 5,
  kBlocking = 1U << 6,
  kLoading = 1U << 7,
  kStale = 1U << 8,
  kSkipMonitor = 1U << 9,
  kSkipSlowlog = 1U << 10,
  kAsking = 1U << 11,
  kFast = 1U << 12,
  kNoAuth = 1U << 13,
  kMayReplicate = 1U << 14,
  kNoAsyncLoading = 1U << 15,
  kNoMulti = 1U << 16,
  kAllowBusy = 1U << 17,
  kNoMandatoryKeys = 1U << 18,
  kTouchesArbitraryKeys = 1U << 19,
  kProtected = 1U << 20,         // DEBUG and the like: only where enable-*-command allows
  kMovableKeys = 1U << 21,       // derived by the table: keys can't be told from positions alone
  kRunsScript = 1U << 22,        // what else it does is up to the script: ScriptControl::flags_of
  kUnqueued = 1U << 23,          // inside MULTI it runs at once instead of being queued
  kRunsQueue = 1U << 24,         // EXEC: it does what the queued commands do
  kInSubscriberMode = 1U << 25,  // allowed to RESP2 clients that have subscriptions
  kEndsPause = 1U << 26,         // never waits for CLIENT PAUSE
  kReportsDisk = 1U << 27,       // answers MISCONF while changes can't be saved
  kMovesSlots = 1U << 28,        // works on keys of a slot that is being moved away
  kKeepsAsking = 1U << 29,       // ASKING holds on behind it
  kKeepsCaching = 1U << 30,      // CLIENT CACHING holds on behind it
};
[[nodiscard]] constexpr Flag operator|(Flag a, Flag b) {
  return static_cast<Flag>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr bool has(Flag set, Flag one) {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

// ACL categories that flags don't imply. @write, @read, @fast, @slow, @admin (with @dangerous),
// @pubsub and @blocking come from flags.
enum class Acl : std::uint32_t {
  kNone = 0,
  kKeyspace = 1U << 0,
  kRead = 1U << 1,
  kWrite = 1U << 2,
  kSet = 1U << 3,
  kSortedSet = 1U << 4,
  kList = 1U << 5,
  kHash = 1U << 6,
  kString = 1U << 7,
  kBitmap = 1U << 8,
  kHyperLogLog = 1U << 9,
  kGeo = 1U << 10,
  kStream = 1U << 11,
  kPubsub = 1U << 12,
  kAdmin = 1U << 13,
  kFast = 1U << 14,
  kSlow = 1U << 15,
  kBlocking = 1U << 16,
  kDangerous = 1U << 17,
  kConnection = 1U << 18,
  kTransaction = 1U << 19,
  kScripting = 1U << 20,
};
[[nodiscard]] constexpr Acl operator|(Acl a, Acl b) {
  return static_cast<Acl>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr bool has(Acl set, Acl one) {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

// Where COMMAND DOCS files the command ("group").
enum class Group : std::uint8_t {
  kGeneric,
  kString,
  kList,
  kSet,
  kSortedSet,
  kHash,
  kPubsub,
  kTransactions,
  kConnection,
  kServer,
  kScripting,
  kHyperLogLog,
  kCluster,
  kGeo,
  kStream,
  kBitmap,
  kSentinel,
  kModule,
};

// Number of words, the command's own name (and its subcommand's) included.
struct Arity {
  std::int16_t count = 1;  // negative: at least -count
  static constexpr Arity exactly(int n) { return {static_cast<std::int16_t>(n)}; }
  static constexpr Arity at_least(int n) { return {static_cast<std::int16_t>(-n)}; }
  [[nodiscard]] constexpr bool accepts(std::size_t words) const {
    return count >= 0 ? words == static_cast<std::size_t>(count)
                      : words >= static_cast<std::size_t>(-count);
  }
};

// Bits of KeySpec::access: exactly one of RO RW OW RM, then what is done with the value.
namespace access {
inline constexpr std::uint16_t kRO = 1, kRW = 2, kOW = 4, kRM = 8;
inline constexpr std::uint16_t kAccess = 16, kUpdate = 32, kInsert = 64, kDelete = 128;
inline constexpr std::uint16_t kNotKey = 256, kIncomplete = 512, kVariableFlags = 1024;
inline constexpr std::uint16_t kRead = kRO | kAccess;  // the value is returned
inline constexpr std::uint16_t kReadMeta = kRO;        // only metadata is (EXISTS, TTL)
inline constexpr std::uint16_t kOverwrite = kOW | kUpdate;
inline constexpr std::uint16_t kModify = kRW | kUpdate;
inline constexpr std::uint16_t kModifyRead = kRW | kAccess | kUpdate;
inline constexpr std::uint16_t kAdd = kRW | kInsert;
inline constexpr std::uint16_t kRemove = kRM | kDelete;
}  // namespace access

// Where keys stand among the words of a command, in the field's two-step form: where to begin
// (a position, or behind a keyword), then which words from there.
struct KeySpec {
  enum class Begin : std::uint8_t { kIndex, kKeyword, kUnknown };
  enum class Find : std::uint8_t { kRange, kKeyNum, kUnknown };

  std::uint16_t access = 0;
  Begin begin = Begin::kIndex;
  Find find = Find::kRange;
  std::int16_t index =
      0;  // kIndex: position; kKeyword: where the search starts (negative: from the end)
  std::string_view keyword{};
  std::int16_t last = 0;  // kRange: last key, relative to the first; negative: from the end
  std::int16_t step = 1;
  std::int16_t limit = 0;          // kRange with last -1: 1/limit of the words; 0 and 1 are all
  std::int16_t key_num_index = 0;  // kKeyNum: where the count stands, relative to the beginning
  std::int16_t first_key = 0;      // kKeyNum: the first key, relative to the beginning
  std::string_view notes{};

  static constexpr KeySpec one(int position, std::uint16_t how) {
    return range(position, 0, 1, how);
  }
  static constexpr KeySpec range(int position, int last, int step, std::uint16_t how) {
    KeySpec k;
    k.access = how;
    k.index = static_cast<std::int16_t>(position);
    k.last = static_cast<std::int16_t>(last);
    k.step = static_cast<std::int16_t>(step);
    return k;
  }
  static constexpr KeySpec counted(int position_of_count, std::uint16_t how) {
    KeySpec k;
    k.access = how;
    k.index = static_cast<std::int16_t>(position_of_count);
    k.find = Find::kKeyNum;
    k.first_key = 1;
    return k;
  }
  static constexpr KeySpec after_keyword(std::string_view word, int start_from, int last,
                                         std::uint16_t how) {
    KeySpec k = range(start_from, last, 1, how);
    k.begin = Begin::kKeyword;
    k.keyword = word;
    return k;
  }
  static constexpr KeySpec unknown(std::uint16_t how, std::string_view why) {
    KeySpec k;
    k.access = how | access::kIncomplete;
    k.begin = Begin::kUnknown;
    k.find = Find::kUnknown;
    k.notes = why;
    return k;
  }
};

// A key of one request.
struct KeyPosition {
  std::uint32_t index;   // which word
  std::uint16_t access;  // bits of namespace access
};

// One argument, for COMMAND DOCS and for generators of random commands.
struct ArgDoc {
  enum class Kind : std::uint8_t {
    kString,
    kInteger,
    kDouble,
    kKey,
    kPattern,
    kUnixTime,
    kToken,
    kOneOf,
    kBlock
  };

  std::string_view name;
  Kind kind = Kind::kString;
  std::string_view token{};  // literal word before the value (or the whole of a kToken)
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;
  std::int16_t key_spec = -1;  // kKey: which key spec it belongs to
  std::string_view since{};
  std::span<const ArgDoc> parts{};  // kOneOf, kBlock

  [[nodiscard]] constexpr ArgDoc opt() const {
    ArgDoc a = *this;
    a.optional = true;
    return a;
  }
  [[nodiscard]] constexpr ArgDoc many() const {
    ArgDoc a = *this;
    a.multiple = true;
    return a;
  }
  [[nodiscard]] constexpr ArgDoc from(std::string_view version) const {
    ArgDoc a = *this;
    a.since = version;
    return a;
  }
  [[nodiscard]] constexpr ArgDoc repeats_token() const {
    ArgDoc a = *this;
    a.multiple = true;
    a.multiple_token = true;
    return a;
  }
};

// Short makers: args::key(), args::string("value"), args::token("NX"), args::integer("seconds",
// "EX").
namespace args {
constexpr ArgDoc make(ArgDoc::Kind kind, std::string_view name, std::string_view token = {}) {
  ArgDoc a{};
  a.name = name;
  a.kind = kind;
  a.token = token;
  return a;
}
constexpr ArgDoc key(std::string_view name = "key", int spec = 0) {
  ArgDoc a = make(ArgDoc::Kind::kKey, name);
  a.key_spec = static_cast<std::int16_t>(spec);
  return a;
}
constexpr ArgDoc string(std::string_view name, std::string_view token = {}) {
  return make(ArgDoc::Kind::kString, name, token);
}
constexpr ArgDoc integer(std::string_view name, std::string_view token = {}) {
  return make(ArgDoc::Kind::kInteger, name, token);
}
constexpr ArgDoc real(std::string_view name, std::string_view token = {}) {
  return make(ArgDoc::Kind::kDouble, name, token);
}
constexpr ArgDoc pattern(std::string_view name, std::string_view token = {}) {
  return make(ArgDoc::Kind::kPattern, name, token);
}
constexpr ArgDoc unix_time(std::string_view name, std::string_view token = {}) {
  return make(ArgDoc::Kind::kUnixTime, name, token);
}
// A bare word such as NX; its documented name is the given one.
constexpr ArgDoc token(std::string_view name, std::string_view word) {
  return make(ArgDoc::Kind::kToken, name, word);
}
constexpr ArgDoc one_of(std::string_view name, std::span<const ArgDoc> parts,
                        std::string_view token = {}) {
  ArgDoc a = make(ArgDoc::Kind::kOneOf, name, token);
  a.parts = parts;
  return a;
}
constexpr ArgDoc block(std::string_view name, std::span<const ArgDoc> parts,
                       std::string_view token = {}) {
  ArgDoc a = make(ArgDoc::Kind::kBlock, name, token);
  a.parts = parts;
  return a;
}
}  // namespace args

// Kinds of reply a command may give (errors aside); tests hold replies against it.
enum class Shape : std::uint16_t {
  kOk = 1,
  kSimple = 2,
  kInteger = 4,
  kBulk = 8,
  kNull = 16,
  kArray = 32,
  kMap = 64,
  kSet = 128,
  kDouble = 256,
  kBoolean = 512,
  kVerbatim = 1024,
  kPush = 2048,
  kNone = 4096,
  kNullArray = 8192,
};
[[nodiscard]] constexpr Shape operator|(Shape a, Shape b) {
  return static_cast<Shape>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
[[nodiscard]] constexpr bool has(Shape set, Shape one) {
  return (static_cast<std::uint16_t>(set) & static_cast<std::uint16_t>(one)) != 0;
}

// The words that are names of pub/sub channels, which ACL rules for channels are held against.
enum class ChannelUse : std::uint8_t {
  kNone,
  kFirstArgument,  // PUBLISH
  kArguments,      // SUBSCRIBE
  kPatterns,       // PSUBSCRIBE
};

// The databases that a command works on, which ACL rules for databases are held against.
enum class DatabaseUse : std::uint8_t {
  kSelected,       // the connection's, if it has keys, reads or writes
  kFirstArgument,  // the argument names it (SELECT)
  kFirstTwo,       // two arguments do (SWAPDB)
  kSecondAndOwn,   // the selected one and the second argument (MOVE)
  kOptional,       // the selected one and the word that `database_word` finds (COPY)
  kAll,            // FLUSHALL
};

enum class Protection : std::uint8_t { kDebug, kModule };  // enable-debug-command and the like

struct HistoryNote {
  std::string_view since;
  std::string_view change;
};

struct CommandSpec {
  std::string_view name;  // upper case; of a subcommand: its own word only
  std::string_view summary;
  std::string_view complexity;
  std::string_view since;
  Arity arity{};
  Flag flags = Flag::kNone;
  Acl acl = Acl::kNone;
  Group group = Group::kGeneric;
  std::span<const KeySpec> keys{};
  std::span<const ArgDoc> args{};
  Shape reply = Shape::kOk;
  Handler handler = nullptr;  // nullptr: a container, only its subcommands run
  std::span<const CommandSpec* const> subcommands{};
  std::string_view deprecated_since{};
  std::string_view replaced_by{};
  std::span<const std::string_view> tips{};
  std::span<const HistoryNote> history{};
  // For keys whose place or use depends on options: adds those of a request to `out`, in order;
  // false if the words have none. It must stand on the option table that the handler itself goes by
  // (src/command/options.h), so that both see the same keys; `keys` is then for COMMAND INFO alone.
  bool (*find_keys)(std::span<const std::string_view> argv,
                    std::vector<KeyPosition>& out) = nullptr;
  // For DatabaseUse::kOptional: the word that names a database, 0 if none does.
  std::size_t (*database_word)(std::span<const std::string_view> argv) = nullptr;
  // The first word that is looked for as a field or member in the value of the first key; 0: none.
  // It lets a batch of requests fetch what they will need into the cache together.
  std::uint8_t member_at = 0;
  ChannelUse channels = ChannelUse::kNone;
  DatabaseUse databases = DatabaseUse::kSelected;
  // For kProtected: the parameter that allows it.
  Protection protection = Protection::kDebug;
  // Adds the indexes of words that no log may show: passwords and what may be one. Asked for every
  // form of the request, well-formed or not.
  void (*secrets)(const Services& services, std::span<const std::string_view> argv,
                  std::vector<std::uint32_t>& words) = nullptr;
};

}  // namespace hearth
