#include "tools/warm_source/pgoutput.h"

#include <fmt/core.h>

#include <charconv>

#include "src/base/bytes.h"

namespace hearth::warm {
namespace {

// Takes numbers, names and byte strings off the front; once something is missing, everything is.
class PgBytes {
 public:
  explicit PgBytes(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T number() {
    if (rest_.size() < sizeof(T)) return fail_with(T{});
    const T value = load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view name() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) return fail_with(std::string_view{});
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) return fail_with(std::string_view{});
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  void drop_rest() { rest_ = {}; }
  [[nodiscard]] bool is_good() const { return good_; }
  [[nodiscard]] bool is_at_end() const { return good_ && rest_.empty(); }

 private:
  template <typename T>
  T fail_with(T nothing) {
    good_ = false;
    rest_ = {};
    return nothing;
  }
  std::string_view rest_;
  bool good_ = true;
};

bool read_tuple(PgBytes& in, std::vector<PgField>& tuple) {
  const auto count = in.number<std::uint16_t>();
  if (!in.is_good() || count > kPgColumnsMax) return false;
  tuple.clear();
  for (std::size_t i = 0; i < count; ++i) {
    PgField field;
    field.kind = static_cast<char>(in.number<std::uint8_t>());
    if (field.kind == 't' || field.kind == 'b') {
      field.bytes = in.bytes(in.number<std::uint32_t>());
    } else if (field.kind != 'n' && field.kind != 'u') {
      return false;
    }
    if (!in.is_good()) return false;
    tuple.push_back(field);
  }
  return true;
}

bool read_relation(PgBytes& in, PgMessage& out) {
  out.relation = in.number<std::uint32_t>();
  out.schema = in.name();
  if (out.schema.empty()) out.schema = "pg_catalog";
  out.table = in.name();
  out.identity = static_cast<char>(in.number<std::uint8_t>());
  const auto count = in.number<std::uint16_t>();
  if (!in.is_good() || count > kPgColumnsMax) return false;
  out.columns.clear();
  for (std::size_t i = 0; i < count && in.is_good(); ++i) {
    PgRelationColumn column;
    column.is_key = (in.number<std::uint8_t>() & 1) != 0;
    column.name = in.name();
    column.type = in.number<std::uint32_t>();
    column.modifier = in.number<std::int32_t>();
    out.columns.push_back(std::move(column));
  }
  return in.is_good();
}

// The mark in front of an old row; 'N' leads to the new one and stays for the caller.
bool read_old(PgBytes& in, char mark, PgMessage& out) {
  out.old_kind = mark == 'K' ? PgOldKind::kKey : PgOldKind::kFull;
  return (mark == 'K' || mark == 'O') && read_tuple(in, out.old_tuple);
}

bool read_update(PgBytes& in, PgMessage& out) {
  out.relation = in.number<std::uint32_t>();
  auto mark = static_cast<char>(in.number<std::uint8_t>());
  if (mark != 'N') {
    if (!read_old(in, mark, out)) return false;
    mark = static_cast<char>(in.number<std::uint8_t>());
  }
  return mark == 'N' && read_tuple(in, out.new_tuple);
}

bool read_delete(PgBytes& in, PgMessage& out) {
  out.relation = in.number<std::uint32_t>();
  return read_old(in, static_cast<char>(in.number<std::uint8_t>()), out);
}

bool read_insert(PgBytes& in, PgMessage& out) {
  out.relation = in.number<std::uint32_t>();
  return in.number<std::uint8_t>() == 'N' && read_tuple(in, out.new_tuple);
}

bool read_truncate(PgBytes& in, PgMessage& out) {
  const auto count = in.number<std::uint32_t>();
  in.number<std::uint8_t>();  // CASCADE, RESTART IDENTITY
  out.relations.clear();
  for (std::uint32_t i = 0; i < count && in.is_good(); ++i)
    out.relations.push_back(in.number<std::uint32_t>());
  return in.is_good();
}

bool read_begin(PgBytes& in, PgMessage& out) {
  out.position = in.number<std::uint64_t>();
  out.time = in.number<std::int64_t>();
  out.transaction = in.number<std::uint32_t>();
  return in.is_good();
}

bool read_commit(PgBytes& in, PgMessage& out) {
  in.number<std::uint8_t>();   // flags, none are defined
  in.number<std::uint64_t>();  // of the commit record; Begin had it
  out.position = in.number<std::uint64_t>();
  out.time = in.number<std::int64_t>();
  return in.is_good();
}

}  // namespace

Result<void> parse_pgoutput(std::string_view bytes, PgMessage& message) {
  PgBytes in(bytes);
  const auto mark = static_cast<char>(in.number<std::uint8_t>());
  message.old_kind = PgOldKind::kNone;
  bool good = false;
  const auto is = [&](PgMessageKind kind, bool was_read) {
    message.kind = kind;
    good = was_read;
  };
  switch (mark) {
    case 'B': is(PgMessageKind::kBegin, read_begin(in, message)); break;
    case 'C': is(PgMessageKind::kCommit, read_commit(in, message)); break;
    case 'R': is(PgMessageKind::kRelation, read_relation(in, message)); break;
    case 'I': is(PgMessageKind::kInsert, read_insert(in, message)); break;
    case 'U': is(PgMessageKind::kUpdate, read_update(in, message)); break;
    case 'D': is(PgMessageKind::kDelete, read_delete(in, message)); break;
    case 'T': is(PgMessageKind::kTruncate, read_truncate(in, message)); break;
    case 'Y':
    case 'O':
    case 'M':
      in.drop_rest();
      is(PgMessageKind::kIgnored, in.is_good());
      break;
    case 'S':
    case 'E':
    case 'c':
    case 'A':
      return fail(ErrorCode::kUnsupported,
                  "PostgreSQL sent a transaction in parts, which was not asked for");
    default: break;
  }
  if (good && in.is_at_end()) return {};
  const auto number = static_cast<unsigned>(static_cast<unsigned char>(mark));
  return fail(ErrorCode::kCorrupt,
              fmt::format("PostgreSQL sent a malformed change message, kind 0x{:02x}, {} bytes",
                          number, bytes.size()));
}

Result<PgStreamMessage> parse_pg_stream(std::string_view bytes) {
  PgBytes in(bytes);
  PgStreamMessage out;
  const auto mark = static_cast<char>(in.number<std::uint8_t>());
  if (mark == 'k') {
    out.is_keepalive = true;
    out.server_end = in.number<std::uint64_t>();
    in.number<std::int64_t>();  // the server's time
    out.wants_reply = in.number<std::uint8_t>() != 0;
    if (in.is_at_end()) return out;
  } else if (mark == 'w') {
    in.number<std::uint64_t>();  // where the message begins
    out.server_end = in.number<std::uint64_t>();
    in.number<std::int64_t>();
    if (in.is_good()) {
      out.payload = bytes.substr(1 + 3 * 8);
      return out;
    }
  }
  return fail(ErrorCode::kCorrupt,
              fmt::format("PostgreSQL sent a malformed message of {} bytes in its change stream",
                          bytes.size()));
}

std::string pg_status_update(std::uint64_t flushed, std::int64_t now) {
  std::string out = "r";
  const auto add = [&](std::uint64_t value) {
    const std::uint64_t swapped = swap_bytes(value);
    out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
  };
  add(flushed);  // written
  add(flushed);  // flushed
  add(flushed);  // applied
  add(static_cast<std::uint64_t>(now));
  out.push_back('\0');  // no answer is wanted
  return out;
}

std::string pg_lsn_text(std::uint64_t position) {
  return fmt::format("{:X}/{:X}", position >> 32, position & 0xffff'ffff);
}

Result<std::uint64_t> parse_pg_lsn(std::string_view text) {
  const auto slash = text.find('/');
  std::uint64_t parts[2] = {0, 0};
  bool good = slash != std::string_view::npos;
  for (int i = 0; i < 2 && good; ++i) {
    const std::string_view part = i == 0 ? text.substr(0, slash) : text.substr(slash + 1);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), parts[i], 16);
    good = !part.empty() && part.size() <= 8 && error == std::errc() &&
           end == part.data() + part.size();
  }
  if (good) return parts[0] << 32 | parts[1];
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is no position of PostgreSQL", text));
}

}  // namespace hearth::warm
