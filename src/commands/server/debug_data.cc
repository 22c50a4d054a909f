// DEBUG subcommands that look at data or make it.
#include <algorithm>
#include <cstdio>
#include <optional>

#include "persistence/rdb/object.h"
#include "src/base/glob.h"
#include "src/command/persistence_control.h"
#include "src/commands/server/debug.h"
#include "src/store/digest.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/memory.h"
#include "src/store/set.h"
#include "src/store/value_type.h"
#include "src/store/zset.h"

namespace hearth::commands {
namespace {

constexpr std::size_t kAnyCount = SIZE_MAX;

Outcome object(CommandContext& ctx) {
  // Past its deadline or not: the place is looked at as it is.
  const Found at = ctx.keys().database().find(ctx.key(2));
  if (!at) return refuse(std::string(kNoSuchKey));
  const std::int64_t idle_ms =
      ctx.keys().uses_lfu() ? 0 : access_clock::lru_idle_ms(at->access(), ctx.clock());
  rdb::EncodeOptions as_saved;
  as_saved.compression =
      ctx.settings().rdbcompression ? rdb::Compression::kOn : rdb::Compression::kOff;
  std::string saved;
  rdb::encode_object(*at, as_saved, saved);
  char text[256];
  std::snprintf(text, sizeof text,
                "Value at:%p refcount:1 encoding:%s serializedlength:%zu memory:%zu lru:%u "
                "lru_seconds_idle:%lld",
                static_cast<const void*>(&*at), std::string(encoding_name(*at)).c_str(),
                saved.size(), at->memory_bytes(), at->access(),
                static_cast<long long>(idle_ms / 1000));
  std::string all = text;
  if (at->type() == Type::kList && ListView(*at).encoding() == ListEncoding::kQuicklist) {
    const ListView list(*at);
    const std::uint64_t nodes = list.segment_count();
    std::snprintf(
        text, sizeof text, " ql_nodes:%llu ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d",
        static_cast<unsigned long long>(nodes),
        static_cast<double>(list.size()) / static_cast<double>(nodes),
        ctx.settings().list_max_listpack_size, ctx.settings().list_compress_depth > 0 ? 1 : 0);
    all += text;
  }
  ctx.reply().simple(all);
  return {};
}

Outcome listpack(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (!at) return refuse(std::string(kNoSuchKey));
  if (encoding_name(*at) != "listpack") return refuse("ERR Not a listpack encoded object.");
  ctx.reply().simple("Listpack of " + std::to_string(at->memory_bytes()) + " bytes");
  return {};
}

Outcome quicklist(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (!at) return refuse(std::string(kNoSuchKey));
  if (encoding_name(*at) != "quicklist") return refuse("ERR Not a quicklist encoded object.");
  ctx.reply().simple("Quicklist of " + std::to_string(ListView(*at).segment_count()) + " nodes");
  return {};
}

Outcome populate(CommandContext& ctx) {
  constexpr std::string_view kNotPositive = "ERR value is out of range, must be positive";
  const ArgReader& args = ctx.args();
  HEARTH_TRY(const std::int64_t count, args.integer_between(2, 0, INT64_MAX, kNotPositive));
  const std::string prefix(args.size() > 3 ? args[3] : "key");
  std::int64_t size = 0;
  if (args.size() > 4) {
    HEARTH_TRY(size, args.integer_between(
                         4, 0, static_cast<std::int64_t>(ctx.settings().proto_max_bulk_len),
                         kNotPositive));
  }
  Keys& keys = ctx.keys();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string name = prefix + ":" + std::to_string(i);
    const KeyRef key = keys.make_ref(name);
    if (keys.exists(key)) continue;
    std::string value = "value:" + std::to_string(i);
    if (size > 0) value.resize(static_cast<std::size_t>(size), '\0');
    keys.put_string(key, {}, value, kNoDeadline);
  }
  ctx.reply().ok();
  return {};
}

Outcome digest(CommandContext& ctx) {
  ctx.reply().simple(digest_of(ctx.keyspace(), ctx.now()).hex());
  return {};
}

Outcome digest_value(CommandContext& ctx) {
  const auto names = ctx.args().from(2);
  ctx.reply().array(names.size());
  for (std::size_t i = 2; i < ctx.args().size(); ++i) {
    const Found at = ctx.keys().peek(ctx.key(i));
    ctx.reply().simple(at ? digest_of_value(*at, ctx.now()).hex() : Digest().hex());
  }
  return {};
}

Outcome reload(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  PersistenceControl::Reload how;
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args.is(i, "NOSAVE"))
      how.save = false;
    else if (args.is(i, "NOFLUSH"))
      how.flush = false;
    else if (args.is(i, "MERGE"))
      how.merge = true;
    else
      return refuse("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
  }
  if (ctx.services().persistence == nullptr) return refuse("ERR this server keeps no snapshots");
  HEARTH_TRY_VOID(ctx.services().persistence->reload(how));
  ctx.reply().ok();
  return {};
}

Outcome load_log(CommandContext& ctx) {
  if (ctx.services().persistence == nullptr) return refuse("ERR this server keeps no log");
  HEARTH_TRY_VOID(ctx.services().persistence->reload_log());
  ctx.reply().ok();
  return {};
}

Outcome htstats(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t index, ctx.args().integer(2));
  if (index < 0 || index >= ctx.keyspace().db_count()) return refuse("ERR Out of range database");
  const Database& db = ctx.keyspace().db(static_cast<DbIndex>(index));
  const std::uint64_t buckets = db.bucket_count();
  char text[256];
  std::snprintf(text, sizeof text,
                "[Keys]\n table size: %llu\n buckets: %llu\n number of elements: %llu\n"
                " avg bucket length: %.2f\n table bytes: %llu\n"
                "[Deadlines]\n number of elements: %llu\n",
                static_cast<unsigned long long>(db.nominal_table_size()),
                static_cast<unsigned long long>(buckets),
                static_cast<unsigned long long>(db.size()),
                buckets == 0 ? 0.0 : static_cast<double>(db.size()) / static_cast<double>(buckets),
                static_cast<unsigned long long>(db.table_memory_bytes()),
                static_cast<unsigned long long>(db.volatile_count()));
  ctx.reply().verbatim("txt", text);
  return {};
}

struct TableFigures {
  std::uint64_t elements = 0;
  std::uint64_t buckets = 0;
  std::uint64_t bytes = 0;
};

// Nothing unless the value is kept in a hash table.
std::optional<TableFigures> table_figures(const Entry& e) {
  if (e.type() == Type::kHash && e.hash()->encoding() == HashEncoding::kHashtable)
    return TableFigures{e.hash()->size(), e.hash()->bucket_count(), e.hash()->memory_bytes()};
  if (e.type() == Type::kSet && e.set()->encoding() == SetEncoding::kHashtable)
    return TableFigures{e.set()->size(), e.set()->bucket_count(), e.set()->memory_bytes()};
  if (e.type() == Type::kZset && e.zset()->encoding() == ZsetEncoding::kSkiplist)
    return TableFigures{e.zset()->size(), e.zset()->bucket_count(), e.zset()->memory_bytes()};
  return std::nullopt;
}

Outcome htstats_key(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (!at) return refuse(std::string(kNoSuchKey));
  const auto figures = table_figures(*at);
  if (!figures) {
    return refuse(
        "ERR The value stored at the specified key is not represented using an hash table");
  }
  ctx.reply().verbatim("txt", "[Table]\n table size: " + std::to_string(figures->buckets) +
                                  "\n number of elements: " + std::to_string(figures->elements) +
                                  "\n bytes: " + std::to_string(figures->bytes) + "\n");
  return {};
}

// Controls that read as pointers to text would be numbers too: the two verbs tell them apart.
Outcome mallctl(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  std::optional<std::int64_t> set;
  if (args.size() == 4) {
    HEARTH_TRY(set, args.integer(3));
  }
  const auto value = memory::control_number(std::string(args[2]), set);
  if (!value) return refuse("ERR the allocator has no such control");
  ctx.reply().integer(*value);
  return {};
}

Outcome mallctl_text(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  const bool acts = args.size() == 4;
  if (acts && !args.is(3, "VOID")) return syntax_error();
  const auto value = memory::control_text(
      std::string(args[2]), acts ? memory::ControlKind::kActs : memory::ControlKind::kText);
  if (!value) return refuse("ERR the allocator has no such control");
  if (acts)
    ctx.reply().ok();
  else
    ctx.reply().bulk(*value);
  return {};
}

Outcome stringmatch_len(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t length, ctx.args().integer_between(2, 0, 1 << 24));
  const std::string text(static_cast<std::size_t>(length), 'a');
  ctx.reply().integer(glob_match(ctx.arg(3), text) ? 1 : 0);
  return {};
}

// One reply of each kind, for tests of clients.
Outcome protocol(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  ReplyWriter& reply = ctx.reply();
  const auto numbers = [&] {
    for (int i = 0; i < 3; ++i) reply.integer(i);
  };
  if (args.is(2, "string")) {
    reply.bulk("Hello World");
  } else if (args.is(2, "integer")) {
    reply.integer(12345);
  } else if (args.is(2, "double")) {
    reply.real(3.141);
  } else if (args.is(2, "bignum")) {
    reply.big_number("1234567999999999999999999999999999999");
  } else if (args.is(2, "null")) {
    reply.null();
  } else if (args.is(2, "array")) {
    reply.array(3);
    numbers();
  } else if (args.is(2, "set")) {
    reply.set(3);
    numbers();
  } else if (args.is(2, "map")) {
    reply.map(3);
    for (int i = 0; i < 3; ++i) {
      reply.integer(i);
      reply.boolean(i == 1);
    }
  } else if (args.is(2, "attrib")) {
    if (reply.resp() >= 3) {
      reply.attribute(1);
      reply.bulk("key-popularity");
      reply.array(2);
      reply.bulk("key:123");
      reply.integer(90);
    }
    reply.bulk("Some real reply following the attribute");
  } else if (args.is(2, "push")) {
    if (reply.resp() < 3) return refuse("ERR RESP2 is not supported by this command");
    reply.push(2);
    reply.bulk("server-cpu-usage");
    reply.integer(42);
    reply.bulk("Some real reply following the push reply");
  } else if (args.is(2, "true")) {
    reply.boolean(true);
  } else if (args.is(2, "false")) {
    reply.boolean(false);
  } else if (args.is(2, "verbatim")) {
    reply.verbatim("txt", "This is a verbatim\nstring");
  } else {
    return refuse(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
  }
  return {};
}

constexpr DebugVerb kDebugDataVerbs[] = {
    {"OBJECT", "<key>", "Tells how the value of a key is stored.", 3, 3, object},
    {"LISTPACK", "<key>", "Tells how large a value in the compact encoding is.", 3, 3, listpack},
    {"QUICKLIST", "<key> [<0|1>]", "Tells how many nodes a long list has.", 3, 4, quicklist},
    {"POPULATE", "<count> [<prefix>] [<size>]",
     "Makes strings prefix:0, prefix:1 ... that do not exist yet; not replicated.", 3, 5, populate},
    {"DIGEST", "", "Returns a digest of all data; equal data has equal digests.", 2, 2, digest},
    {"DIGEST-VALUE", "<key> [<key> ...]", "Returns a digest of the value of each key.", 2,
     kAnyCount, digest_value},
    {"RELOAD", "[NOSAVE] [NOFLUSH] [MERGE]",
     "Saves a snapshot, empties the server and loads it; each step can be left out.", 2, 5, reload},
    {"LOADAOF", "", "Empties the server and loads the append-only file.", 2, 2, load_log},
    {"HTSTATS", "<dbid> [full]", "Tells figures about the tables of a database.", 3, 4, htstats},
    {"HTSTATS-KEY", "<key> [full]", "Tells figures about the table of a value.", 3, 4, htstats_key},
    {"MALLCTL", "<control> [<number>]", "Reads a control of the allocator, and sets it before.", 3,
     4, mallctl},
    {"MALLCTL-STR", "<control> [VOID]",
     "Reads a control that is text; with VOID, triggers one that acts.", 3, 4, mallctl_text},
    {"STRINGMATCH-LEN", "<length> <pattern>", "Matches a pattern with that many letters a.", 4, 4,
     stringmatch_len},
    {"PROTOCOL", "<kind>", "Replies with a value of that kind.", 3, 3, protocol},
};

}  // namespace

std::span<const DebugVerb> debug_data_verbs() { return kDebugDataVerbs; }

}  // namespace hearth::commands
