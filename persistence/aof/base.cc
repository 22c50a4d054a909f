#include "persistence/aof/base.h"

#include "persistence/aof/append_log.h"
#include "persistence/rdb/dump.h"
#include "src/base/format_number.h"

namespace hearth::aof {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

void append(std::initializer_list<std::string_view> words, std::string& out) {
  append_command(std::span<const std::string_view>(words.begin(), words.size()), out);
}

void append_key(const Entry& e, const rdb::EncodeOptions& options, std::string& out) {
  const std::string deadline = int64_text(e.has_deadline() ? e.deadline() : 0);
  if (e.type() != Type::kString) {
    append({"RESTORE", e.key(), deadline, rdb::dump_payload(e, options), "REPLACE", "ABSTTL"}, out);
    return;
  }
  char scratch[kInt64TextMax];
  const std::string_view value = e.string_value(scratch);
  if (e.has_deadline())
    append({"SET", e.key(), value, "PXAT", deadline}, out);
  else
    append({"SET", e.key(), value}, out);
}

}  // namespace

Result<void> write_base(const Keyspace& keyspace, const BaseOptions& options, rdb::ByteSink& sink) {
  std::string out;
  if (options.timestamp) out += timestamp_note(options.file.encode.now);
  for (const std::string& code : options.file.functions)
    append({"FUNCTION", "LOAD", "REPLACE", code}, out);
  Result<void> outcome;
  std::uint64_t keys = 0;
  for (DbIndex i = 0; i < keyspace.db_count() && outcome; ++i) {
    const Database& db = keyspace.db(i);
    if (db.size() == 0) continue;
    append({"SELECT", int64_text(i)}, out);
    db.for_each([&](const Entry& e) {
      if (!outcome) return;
      append_key(e, options.file.encode, out);
      if (out.size() >= kPiece) {
        outcome = sink.append(out);
        out.clear();
      }
      if (options.file.after_key) options.file.after_key(++keys);
    });
  }
  if (!outcome) return outcome;
  return sink.append(out);
}

}  // namespace hearth::aof
