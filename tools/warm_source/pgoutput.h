// Messages of PostgreSQL's logical decoding plugin "pgoutput", protocol version 1.
//
// Source: PostgreSQL documentation, "Logical Replication Message Formats". Numbers are big endian,
// names end with a zero byte. The bytes come from a server and are hostile: every length is checked
// before it is used, and what a message holds in excess is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace hearth::warm {

enum class PgMessageKind : std::uint8_t {
  kBegin,     // `position`: the commit record's; `time`, `transaction`
  kCommit,    // `position`: the end of the transaction, which is what is confirmed; `time`
  kRelation,  // `relation`, `schema`, `table`, `identity`, `columns`
  kInsert,    // `relation`, `new_tuple`
  kUpdate,    // `relation`, `new_tuple`; `old_tuple` if `old_kind` says so
  kDelete,    // `relation`, `old_tuple`, `old_kind`
  kTruncate,  // `relations`
  kIgnored,   // Type, Origin, Message: nothing that changes a row
};

// The old row that came with a change.
enum class PgOldKind : std::uint8_t {
  kNone,  // the replica identity did not change
  kKey,   // the columns of the replica identity; all others stand as NULL
  kFull,  // the whole row
};

struct PgField {
  // 'n': NULL; 'u': a TOASTed value that did not change and is not sent; 't': text; 'b': binary
  char kind = 'n';
  std::string_view bytes{};
};

struct PgRelationColumn {
  bool is_key = false;  // part of the replica identity
  std::string name;
  std::uint32_t type = 0;  // oid
  std::int32_t modifier = -1;
};

struct PgMessage {
  PgMessageKind kind = PgMessageKind::kIgnored;
  std::uint64_t position = 0;
  std::int64_t time = 0;  // microseconds since 2000-01-01 UTC
  std::uint32_t transaction = 0;
  std::uint32_t relation = 0;
  std::string schema{};
  std::string table{};
  char identity = 'd';  // as pg_class.relreplident
  std::vector<PgRelationColumn> columns{};
  PgOldKind old_kind = PgOldKind::kNone;
  std::vector<PgField> old_tuple{};
  std::vector<PgField> new_tuple{};
  std::vector<std::uint32_t> relations{};
};

// A message of the stream around them, in CopyData.
struct PgStreamMessage {
  bool is_keepalive = false;
  bool wants_reply = false;      // of a keepalive
  std::uint64_t server_end = 0;  // the end of the log on the server
  std::string_view payload{};    // of others: one message of pgoutput
};

// The most columns that a table of PostgreSQL can have.
inline constexpr std::size_t kPgColumnsMax = 1'664;

// Errors: kCorrupt, naming the message; kUnsupported (a message of a later protocol version).
// `message` is written over, so that its memory serves again; its fields borrow from `bytes`.
// O(bytes). On error `message` holds nothing of use.
Result<void> parse_pgoutput(std::string_view bytes, PgMessage& message);

// Errors: kCorrupt.
Result<PgStreamMessage> parse_pg_stream(std::string_view bytes);

// The answer to the stream: everything before `flushed` was taken over. `now`: microseconds since
// 2000-01-01 UTC. 34 bytes.
[[nodiscard]] std::string pg_status_update(std::uint64_t flushed, std::int64_t now);

// Positions as PostgreSQL writes them: "16/B374D848".
[[nodiscard]] std::string pg_lsn_text(std::uint64_t position);
// Errors: kInvalid.
Result<std::uint64_t> parse_pg_lsn(std::string_view text);

}  // namespace hearth::warm
