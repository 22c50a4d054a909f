#include "tools/warm_source/postgres_changes.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "src/base/parse_number.h"
#include "tools/warm_source/pgoutput.h"
#include "tools/warm_source/postgres_tables.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr std::int64_t kMillisTo2000 = 946'684'800'000;
constexpr microseconds kStatusEvery{5'000'000};
// A server notices a dead client after wal_sender_timeout, a minute by default.
constexpr microseconds kActiveMost{90'000'000};
constexpr int kActiveWaitMs = 100;

// A relation as the stream describes it.
struct StreamedTable {
  std::size_t table = 0;
  bool is_followed = false;
  std::vector<PgRelationColumn> columns;
  std::vector<bool> readable;
  std::unique_ptr<PgDecoder> old_values;
  std::unique_ptr<PgDecoder> new_values;
};

bool same_columns(const std::vector<PgRelationColumn>& a, const std::vector<PgRelationColumn>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const PgRelationColumn& x, const PgRelationColumn& y) {
                      return x.name == y.name && x.type == y.type && x.is_key == y.is_key &&
                             x.modifier == y.modifier;
                    });
}

class PgChanges final : public ChangeStream {
 public:
  PgChanges(FollowOptions options, PgConnection sql)
      : options_(std::move(options)), sql_(std::move(sql)) {}

  Result<void> learn() {
    for (const auto& name : options_.tables) {
      HEARTH_TRY(auto table, describe_pg_table(sql_, name));
      tables_.push_back(std::move(table));
    }
    return {};
  }

  Result<std::vector<std::string>> missing() override {
    return missing_for_pg_follow(sql_, options_.name, tables_);
  }
  [[nodiscard]] const TableShape& shape(std::size_t table) const override {
    return tables_[table].shape;
  }

  Result<FollowStart> begin_anew() override;
  Result<void> check(LogPosition position) override;
  Result<void> start(LogPosition position) override;
  Result<const Change*> next(milliseconds wait) override;
  Result<void> confirm(LogPosition position) override;
  Result<void> keep_alive() override;
  Result<bool> is_visible(std::uint64_t transaction) override;
  Result<void> drop() override;

  [[nodiscard]] std::uint64_t lag_bytes(LogPosition position) const override {
    return server_end_ > position.offset ? server_end_ - position.offset : 0;
  }
  [[nodiscard]] std::string position_text(LogPosition position) const override {
    return pg_lsn_text(position.offset);
  }
  [[nodiscard]] Result<LogPosition> parse_position(const std::string& text) const override {
    HEARTH_TRY(const std::uint64_t offset, parse_pg_lsn(text));
    return LogPosition{0, offset};
  }
  Result<std::string> identity() override {
    HEARTH_TRY_VOID(open_wire());
    return identity_;
  }

 private:
  Result<void> open_wire();
  Result<void> await_unused_slot();
  Result<void> send_status();
  Result<bool> take(const PgStreamMessage& outer);
  Result<bool> take_message();
  Result<bool> take_relation();
  Result<bool> take_row(ChangeKind kind);
  bool take_truncate();
  Result<void> describe(StreamedTable& streamed);
  Result<void> read_image(PgDecoder& decoder, const StreamedTable& table,
                          const std::vector<PgField>& tuple, bool only_key, RowImage& image);
  [[nodiscard]] std::string slot() const { return sql_string(options_.name); }
  [[nodiscard]] std::string quoted() const { return quoted_name(options_.name, '"'); }

  FollowOptions options_;
  PgConnection sql_;
  std::optional<PgConnection> wire_;
  std::vector<PgTable> tables_;
  std::map<std::uint32_t, StreamedTable> streamed_;  // by oid
  std::string identity_;
  PgMessage message_;
  Change change_;
  std::vector<std::size_t> truncated_;  // tables that are still to be told
  bool in_transaction_ = false;
  std::uint64_t server_end_ = 0;
  std::uint64_t idle_end_ = 0;  // of the log, from a keepalive while no transaction was open
  std::uint64_t confirmed_ = 0;
  MonoTime status_at_{};
  std::string snapshot_;  // the last that was asked for, of visible transactions
};

// ---- slot ----

// The slot of a process that was killed stays in use until the server notices.
Result<void> PgChanges::await_unused_slot() {
  const MonoTime begun = options_.clock->mono_now();
  for (;;) {
    HEARTH_TRY(const auto found,
               sql_.run(fmt::format("SELECT active_pid FROM pg_catalog.pg_replication_slots WHERE "
                                    "slot_name = {} AND active",
                                    slot())));
    if (PQntuples(found.get()) == 0) return {};
    const auto* interrupt = options_.source.interrupt;
    if (interrupt != nullptr && interrupt->load()) return fail(ErrorCode::kBusy, "interrupted");
    if (options_.clock->mono_now() - begun > kActiveMost) {
      return fail(ErrorCode::kIo, fmt::format("slot '{}' is in use by process {} of the server; "
                                              "--name gives another follower a slot of its own",
                                              options_.name, pg_text(found, 0, 0)));
    }
    ::poll(nullptr, 0, kActiveWaitMs);
  }
}

Result<void> PgChanges::open_wire() {
  if (wire_) return {};
  HEARTH_TRY(auto wire, PgConnection::open(options_.source, PgConnection::Use::kReplication));
  HEARTH_TRY(const auto answer, wire.run("IDENTIFY_SYSTEM"));
  identity_ = fmt::format("postgresql/{}/{}", pg_text(answer, 0, 0), pg_text(answer, 0, 3));
  if (const auto end = parse_pg_lsn(pg_text(answer, 0, 2))) server_end_ = *end;
  wire_ = std::move(wire);
  return {};
}

Result<FollowStart> PgChanges::begin_anew() {
  HEARTH_TRY_VOID(ensure_pg_publication(sql_, options_.name, tables_));
  HEARTH_TRY_VOID(drop());
  wire_.reset();
  HEARTH_TRY_VOID(open_wire());
  HEARTH_TRY(const auto answer,
             wire_->run(fmt::format("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput EXPORT_SNAPSHOT",
                                    quoted())));
  if (PQntuples(answer.get()) != 1 || PQnfields(answer.get()) < 3)
    return fail(ErrorCode::kCorrupt,
                "PostgreSQL answers CREATE_REPLICATION_SLOT with something else");
  FollowStart start;
  HEARTH_TRY(start.position.offset, parse_pg_lsn(pg_text(answer, 0, 1)));
  start.snapshot = pg_text(answer, 0, 2);
  return start;
}

Result<void> PgChanges::check(LogPosition position) {
  HEARTH_TRY_VOID(open_wire());
  HEARTH_TRY(const auto answer,
             sql_.run(fmt::format("SELECT plugin, database = current_database(), wal_status, "
                                  "confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE "
                                  "slot_name = {}",
                                  slot())));
  const auto gone = [&](std::string_view why) {
    return fail(ErrorCode::kNotFound, fmt::format("slot '{}' {}", options_.name, why));
  };
  if (PQntuples(answer.get()) == 0) return gone("does not exist");
  if (pg_text(answer, 0, 0) != "pgoutput" || pg_text(answer, 0, 1) != "t")
    return fail(ErrorCode::kInvalid,
                fmt::format("slot '{}' is of another database or plugin", options_.name));
  if (pg_text(answer, 0, 2) == "lost")
    return gone("has lost its log (max_slot_wal_keep_size is too small)");
  HEARTH_TRY(const std::uint64_t confirmed, parse_pg_lsn(pg_text(answer, 0, 3)));
  // This process saves a position before it confirms it, so a slot that is further is another one.
  if (confirmed > position.offset)
    return gone("was made anew, or read by somebody else: it is further than what was saved");
  return {};
}

Result<void> PgChanges::start(LogPosition position) {
  HEARTH_TRY_VOID(check(position));
  HEARTH_TRY_VOID(await_unused_slot());
  const auto begun = wire_->run(fmt::format(
      "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', binary 'true', publication_names "
      "{})",
      quoted(), pg_lsn_text(position.offset), sql_string(quoted())));
  if (!begun) {
    wire_.reset();
    HEARTH_TRY_VOID(check(position));
    return fail(begun.error().code == ErrorCode::kBusy ? ErrorCode::kBusy : ErrorCode::kIo,
                begun.error().context);
  }
  if (PQresultStatus(begun->get()) != PGRES_COPY_BOTH)
    return fail(ErrorCode::kCorrupt, "PostgreSQL does not stream");
  confirmed_ = position.offset;
  return {};
}

Result<void> PgChanges::drop() {
  HEARTH_TRY(const auto found,
             sql_.run(fmt::format(
                 "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = {}", slot())));
  if (PQntuples(found.get()) == 0) return {};
  HEARTH_TRY_VOID(await_unused_slot());
  HEARTH_TRY_VOID(sql_.run(fmt::format("SELECT pg_drop_replication_slot({})", slot())));
  return {};
}

// ---- status ----

Result<void> PgChanges::send_status() {
  status_at_ = options_.clock->mono_now();
  const std::int64_t now = (options_.clock->unix_now().ms - kMillisTo2000) * 1000;
  return wire_->put_copy_data(pg_status_update(confirmed_, now));
}

Result<void> PgChanges::confirm(LogPosition position) {
  confirmed_ = std::max(confirmed_, position.offset);
  return send_status();
}

Result<void> PgChanges::keep_alive() {
  if (!wire_ || options_.clock->mono_now() - status_at_ < kStatusEvery) return {};
  return send_status();
}

// The snapshot is written "xmin:xmax:running,running,...": transactions below xmin have ended,
// those from xmax on had not begun. Its numbers have 64 bits, those of the stream the lower 32 of
// them.
Result<bool> PgChanges::is_visible(std::uint64_t transaction) {
  const auto in_snapshot = [&](std::string_view text) {
    const auto wanted = static_cast<std::uint32_t>(transaction);
    const auto first = text.find(':');
    const auto second = text.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) return false;
    const auto low = [](std::string_view number) {
      return static_cast<std::uint32_t>(parse_uint64(number).value_or(0));
    };
    const auto is_before = [&](std::uint32_t other) {
      return static_cast<std::int32_t>(wanted - other) < 0;
    };
    if (is_before(low(text.substr(0, first)))) return true;
    if (!is_before(low(text.substr(first + 1, second - first - 1)))) return false;
    std::string_view running = text.substr(second + 1);
    while (!running.empty()) {
      const auto end = std::min(running.find(','), running.size());
      if (low(running.substr(0, end)) == wanted) return false;
      running.remove_prefix(std::min(end + 1, running.size()));
    }
    return true;
  };
  if (in_snapshot(snapshot_)) return true;
  HEARTH_TRY(const auto answer, sql_.run("SELECT pg_current_snapshot()"));
  snapshot_ = pg_text(answer, 0, 0);
  return in_snapshot(snapshot_);
}

// ---- changes ----

Result<const Change*> PgChanges::next(milliseconds wait) {
  for (;;) {
    if (take_truncate()) return &change_;
    auto data = wire_->poll_copy_data(wait);
    if (!data) {
      // A slot that lost its log ends the stream; it must not be mistaken for a lost connection.
      const bool is_log = data.error().context.find("replication slot") != std::string::npos;
      return fail(is_log ? ErrorCode::kNotFound : data.error().code, data.error().context);
    }
    if (!*data) {
      if (idle_end_ <= confirmed_ || in_transaction_) return nullptr;
      change_ = Change{};
      change_.position.offset = std::exchange(idle_end_, 0);
      return &change_;
    }
    HEARTH_TRY(const auto outer, parse_pg_stream(**data));
    HEARTH_TRY(const bool is_change, take(outer));
    if (is_change) return &change_;
    wait = milliseconds{0};
  }
}

Result<bool> PgChanges::take(const PgStreamMessage& outer) {
  server_end_ = std::max(server_end_, outer.server_end);
  if (!outer.is_keepalive) {
    HEARTH_TRY_VOID(parse_pgoutput(outer.payload, message_));
    return take_message();
  }
  if (outer.wants_reply) HEARTH_TRY_VOID(send_status());
  // Nothing of the tables stands before it: an idle table must not hold back the log.
  if (!in_transaction_) idle_end_ = outer.server_end;
  return false;
}

Result<bool> PgChanges::take_message() {
  switch (message_.kind) {
    case PgMessageKind::kBegin:
      in_transaction_ = true;
      idle_end_ = 0;  // the commit's position is further
      change_.transaction = message_.transaction;
      change_.committed = UnixMillis{message_.time / 1000 + kMillisTo2000};
      return false;
    case PgMessageKind::kCommit:
      in_transaction_ = false;
      change_.kind = ChangeKind::kCommit;
      change_.position = {0, message_.position};
      change_.committed = UnixMillis{message_.time / 1000 + kMillisTo2000};
      return true;
    case PgMessageKind::kRelation: return take_relation();
    case PgMessageKind::kInsert: return take_row(ChangeKind::kInsert);
    case PgMessageKind::kUpdate: return take_row(ChangeKind::kUpdate);
    case PgMessageKind::kDelete: return take_row(ChangeKind::kDelete);
    case PgMessageKind::kTruncate:
      for (const std::uint32_t oid : message_.relations) {
        const auto found = streamed_.find(oid);
        if (found != streamed_.end() && found->second.is_followed)
          truncated_.push_back(found->second.table);
      }
      return take_truncate();
    case PgMessageKind::kIgnored: return false;
  }
  return false;
}

bool PgChanges::take_truncate() {
  if (truncated_.empty()) return false;
  change_.kind = ChangeKind::kTruncate;
  change_.table = truncated_.back();
  change_.old_row.exists = false;
  change_.new_row.exists = false;
  truncated_.pop_back();
  return true;
}

Result<bool> PgChanges::take_relation() {
  StreamedTable& streamed = streamed_[message_.relation];
  const bool is_known = !streamed.columns.empty();
  if (is_known && same_columns(streamed.columns, message_.columns)) return false;
  streamed = StreamedTable{};
  streamed.columns = message_.columns;
  const auto found = std::find_if(tables_.begin(), tables_.end(), [&](const PgTable& table) {
    return table.schema == message_.schema && table.name == message_.table;
  });
  if (found == tables_.end()) return false;  // of the publication, not of the mappings
  streamed.is_followed = true;
  streamed.table = static_cast<std::size_t>(found - tables_.begin());
  HEARTH_TRY_VOID(describe(streamed));
  change_.kind = ChangeKind::kShape;
  change_.table = streamed.table;
  return true;
}

// The columns are those of the stream, which may be behind the catalogue; types, generated columns
// and the primary key are asked of the catalogue.
Result<void> PgChanges::describe(StreamedTable& streamed) {
  PgTable& table = tables_[streamed.table];
  if (auto again = describe_pg_table(sql_, table.shape.name)) {
    table = *std::move(again);
  } else if (again.error().code != ErrorCode::kInvalid) {
    return unexpected<Error>(again.error());
  }
  std::vector<PgType> types;
  TableShape shape;
  shape.name = table.shape.name;
  shape.hint = table.shape.hint;
  for (const auto& column : streamed.columns) {
    const auto known = table.types.find(column.type);
    const auto type = known == table.types.end() ? pg_binary_type(column.type) : known->second;
    types.push_back(type.value_or(PgType{PgForm::kText}));
    streamed.readable.push_back(type.has_value());
    const bool is_key =
        std::find(table.key.begin(), table.key.end(), column.name) != table.key.end();
    const bool names_row = message_.identity == 'f' ? is_key : column.is_key;
    if (names_row) shape.row_key.push_back(shape.columns.size());
    shape.columns.push_back({.name = column.name});
    shape.in_old.push_back(column.is_key || message_.identity == 'f' ? 1 : 0);
    shape.readable.push_back(type.has_value() ? 1 : 0);
  }
  for (const auto& name : table.generated) {
    shape.columns.push_back({.name = name});
    shape.in_old.push_back(0);
    shape.readable.push_back(0);
  }
  streamed.old_values = std::make_unique<PgDecoder>(types);
  streamed.new_values = std::make_unique<PgDecoder>(std::move(types));
  table.shape = std::move(shape);
  return {};
}

Result<bool> PgChanges::take_row(ChangeKind kind) {
  const auto found = streamed_.find(message_.relation);
  if (found == streamed_.end()) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("PostgreSQL sent a row of relation {} before its description",
                            message_.relation));
  }
  StreamedTable& table = found->second;
  if (!table.is_followed) return false;
  change_.kind = kind;
  change_.table = table.table;
  change_.old_row.exists = message_.old_kind != PgOldKind::kNone;
  change_.new_row.exists = kind != ChangeKind::kDelete;
  if (change_.old_row.exists) {
    HEARTH_TRY_VOID(read_image(*table.old_values, table, message_.old_tuple,
                               message_.old_kind == PgOldKind::kKey, change_.old_row));
  }
  if (!change_.new_row.exists) return true;
  HEARTH_TRY_VOID(read_image(*table.new_values, table, message_.new_tuple, false, change_.new_row));
  if (message_.old_kind != PgOldKind::kFull) return true;
  // A whole old row has the large values that the new one leaves out because they are the same.
  for (std::size_t i = 0; i < message_.new_tuple.size(); ++i) {
    if (message_.new_tuple[i].kind != 'u' || change_.old_row.known[i] == 0) continue;
    change_.new_row.cells[i] = change_.old_row.cells[i];
    change_.new_row.known[i] = 1;
  }
  return true;
}

Result<void> PgChanges::read_image(PgDecoder& decoder, const StreamedTable& table,
                                   const std::vector<PgField>& tuple, bool only_key,
                                   RowImage& image) {
  const std::size_t count = tables_[table.table].shape.columns.size();
  if (tuple.size() != table.columns.size()) {
    return fail(ErrorCode::kCorrupt, fmt::format("PostgreSQL sent {} values of a row of {} columns",
                                                 tuple.size(), table.columns.size()));
  }
  image.cells.assign(count, Cell{});
  image.known.assign(count, 0);
  decoder.begin_row();
  for (std::size_t i = 0; i < tuple.size(); ++i) {
    const PgField& field = tuple[i];
    if (!table.readable[i] || field.kind == 'u') continue;
    if (only_key && !table.columns[i].is_key) continue;
    image.known[i] = 1;
    if (field.kind != 'n') HEARTH_TRY_VOID(decoder.decode_value(i, field.bytes, image.cells[i]));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ChangeStream>> open_postgres_changes(const FollowOptions& options) {
  HEARTH_TRY(auto sql, PgConnection::open(options.source));
  auto changes = std::make_unique<PgChanges>(options, std::move(sql));
  HEARTH_TRY_VOID(changes->learn());
  return std::unique_ptr<ChangeStream>(std::move(changes));
}

}  // namespace hearth::warm
