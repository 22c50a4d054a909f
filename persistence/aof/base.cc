#include "persistence/aof/base.h"

#include <functional>
#include <vector>

#include "persistence/aof/log.h"
#include "persistence/rdb/dump.h"
#include "persistence/rdb/object_stream.h"
#include "src/base/format_number.h"
#include "src/effects/version_notes.h"
#include "src/store/list_value.h"

namespace hearth::aof {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

void append(std::initializer_list<std::string_view> words, std::string& out) {
  append_command(std::span<const std::string_view>(words.begin(), words.size()), out);
}

// Values up to this many items and bytes are one RESTORE; larger ones are written in pieces.
constexpr std::uint64_t kWholeItems = 128;
constexpr std::uint64_t kWholeBytes = 256 * 1024;
// Items of one command of a value in pieces.
constexpr std::size_t kItemsPerCommand = 512;

class BaseWriter {
 public:
  BaseWriter(const BaseOptions& options, rdb::ByteSink& sink) : options_(options), sink_(sink) {}

  Result<void> write(const Keyspace& keyspace) {
    if (options_.timestamp) out_ += timestamp_note(options_.file.encode.now);
    for (const std::string& code : options_.file.functions)
      append({"FUNCTION", "LOAD", "REPLACE", code}, out_);
    std::uint64_t keys = 0;
    for (DbIndex i = 0; i < keyspace.db_count() && outcome_; ++i) {
      const Database& db = keyspace.db(i);
      if (db.stored_size() == 0 && db.tombstones().empty()) continue;
      append({"SELECT", int64_text(i)}, out_);
      db.for_each_stored([&](const Entry& e) {
        if (!outcome_) return;
        write_key(e);
        flush(kPiece);
        if (options_.file.after_key) options_.file.after_key(++keys);
      });
      for_each_gone_note(
          db.tombstones(), [](std::uint64_t) { return true; },
          [&](const std::string& note) {
            append({"ECHO", note}, out_);
            flush(kPiece);
          });
    }
    flush(1);
    return outcome_;
  }

 private:
  // Hands over what has gathered, if it is that much. After an error nothing is written any more.
  void flush(std::size_t at_least) {
    if (out_.size() < at_least) return;
    if (outcome_) outcome_ = sink_.append(out_);
    out_.clear();
    if (out_.capacity() > 16 * kPiece) out_.shrink_to_fit();
  }

  void write_key(const Entry& e) {
    const std::string deadline = int64_text(e.has_deadline() ? e.deadline() : 0);
    if (e.type() == Type::kString) {
      char scratch[kInt64TextMax];
      const std::string_view value = e.string_value(scratch);
      if (e.has_deadline())
        append({"SET", e.key(), value, "PXAT", deadline}, out_);
      else
        append({"SET", e.key(), value}, out_);
      write_version(e);
      return;
    }
    if (is_small(e)) {
      append({"RESTORE", e.key(), deadline, rdb::dump_payload(e, options_.file.encode), "REPLACE",
              "ABSTTL"},
             out_);
      return;
    }
    write_in_pieces(e);
    if (e.has_deadline()) append({"PEXPIREAT", e.key(), deadline}, out_);
    write_version(e);
  }

  // A RESTORE has it in its payload.
  void write_version(const Entry& e) {
    if (e.version() != kNoVersion) append({"ECHO", VersionNote{e.version(), e.key()}.text()}, out_);
  }

  static bool is_small(const Entry& e) {
    std::uint64_t items = 0, bytes = 0;
    switch (e.type()) {
      case Type::kString: return true;
      case Type::kList: items = ListView(e).size(); break;
      case Type::kSet: items = e.set()->size(); break;
      case Type::kZset: items = e.zset()->size(); break;
      case Type::kHash: items = e.hash()->size(); break;
      case Type::kStream: items = e.stream()->length(); break;
    }
    if (items > kWholeItems) return false;
    for_each_text(e, [&](std::string_view text) { bytes += text.size(); });
    return bytes <= kWholeBytes;
  }

  // The texts of a value's items; of a stream those of its entries.
  static void for_each_text(const Entry& e, const std::function<void(std::string_view)>& fn) {
    char scratch[kInt64TextMax];
    switch (e.type()) {
      case Type::kString: break;
      case Type::kList: {
        const ListView list(e);
        list.visit(0, list.size(), [&](const ds::Element& item) { fn(item.text(scratch)); });
        break;
      }
      case Type::kSet: e.set()->for_each(fn); break;
      case Type::kZset: {
        Zset::Item item;
        for (Zset::Walk walk = e.zset()->walk(); walk.next(item);) fn(item.member);
        break;
      }
      case Type::kHash:
        e.hash()->for_each(UnixMillis{0}, [&](const Hash::Item& item) {
          fn(item.field);
          fn(item.value);
        });
        break;
      case Type::kStream: {
        StreamReader reader(*e.stream(), kStreamIdMin, kStreamIdMax);
        while (reader.next()) {
          reader.for_each_field([&](std::string_view field, std::string_view value) {
            fn(field);
            fn(value);
          });
        }
        break;
      }
    }
  }

  // One command of many items, `words_each` words an item.
  void begin(std::string_view command, std::string_view key, std::size_t words_each) {
    words_ = {std::string(command), std::string(key)};
    words_each_ = words_each;
    bytes_ = 0;
  }
  void add(std::string_view word) {
    words_.emplace_back(word);
    bytes_ += word.size();
    const std::size_t given = words_.size() - 2;
    if (given % words_each_ != 0) return;
    if (bytes_ >= kPiece || given >= kItemsPerCommand * words_each_) end();
  }
  void end() {
    if (words_.size() > 2) {
      append_command(std::span<const std::string>(words_), out_);
      flush(kPiece);
    }
    words_.resize(2);
    bytes_ = 0;
  }

  void write_in_pieces(const Entry& e) {
    const std::string_view key = e.key();
    switch (e.type()) {
      case Type::kString: break;
      case Type::kList:
        begin("RPUSH", key, 1);
        for_each_text(e, [this](std::string_view item) { add(item); });
        break;
      case Type::kSet:
        begin("SADD", key, 1);
        for_each_text(e, [this](std::string_view member) { add(member); });
        break;
      case Type::kZset: {
        begin("ZADD", key, 2);
        Zset::Item item;
        for (Zset::Walk walk = e.zset()->walk(); walk.next(item);) {
          add(double_text(item.score));
          add(item.member);
        }
        break;
      }
      case Type::kHash: return write_hash(key, *e.hash());
      case Type::kStream: return write_stream(e);
    }
    end();
  }

  void write_hash(std::string_view key, const Hash& hash) {
    begin("HSET", key, 2);
    hash.for_each(UnixMillis{0}, [this](const Hash::Item& item) {
      add(item.field);
      add(item.value);
    });
    end();
    if (hash.min_deadline() == Hash::kNone) return;
    hash.for_each(UnixMillis{0}, [&](const Hash::Item& item) {
      if (item.deadline == Hash::kNone) return;
      append({"HPEXPIREAT", key, int64_text(item.deadline), "FIELDS", "1", item.field}, out_);
      flush(kPiece);
    });
  }

  // The groups come first, with a stream that has no past yet: so its entries can be added behind
  // them, and its past is set at last.
  void write_stream(const Entry& e) {
    const Stream& stream = *e.stream();
    append({"RESTORE", e.key(), "0", rdb::stream_groups_payload(stream, options_.file.encode),
            "REPLACE"},
           out_);
    flush(kPiece);
    StreamReader reader(stream, kStreamIdMin, kStreamIdMax);
    std::vector<std::string> words;
    while (reader.next()) {
      words = {"XADD", std::string(e.key()), stream_id_text(reader.id())};
      reader.for_each_field([&](std::string_view field, std::string_view value) {
        words.emplace_back(field);
        words.emplace_back(value);
      });
      append_command(std::span<const std::string>(words), out_);
      flush(kPiece);
    }
    append({"XSETID", e.key(), stream_id_text(stream.last_id()), "ENTRIESADDED",
            int64_text(static_cast<std::int64_t>(stream.entries_added())), "MAXDELETEDID",
            stream_id_text(stream.max_deleted_id())},
           out_);
  }

  const BaseOptions& options_;
  rdb::ByteSink& sink_;
  std::string out_;
  Result<void> outcome_;
  std::vector<std::string> words_;
  std::size_t words_each_ = 1;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<void> write_base(const Keyspace& keyspace, const BaseOptions& options, rdb::ByteSink& sink) {
  return BaseWriter(options, sink).write(keyspace);
}

}  // namespace hearth::aof
