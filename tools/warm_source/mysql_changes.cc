#include "tools/warm_source/mysql_changes.h"

#include <fmt/core.h>
// The library's own headers, in this order.
#include <mysql.h>
//
#include <ma_pvio.h>
#include <mariadb_rpl.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <utility>

#include "src/base/parse_number.h"
#include "tools/warm_source/mysql_tables.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

// A silent log sends a sign of life so often, in nanoseconds; it also ends waits that data in the
// buffers of TLS would not. Later versions of MySQL know the second name.
constexpr const char* kHeartbeat =
    "SET @master_heartbeat_period = 50000000, @source_heartbeat_period = 50000000";
constexpr const char* kChecksum =
    "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = "
    "@@global.binlog_checksum";
constexpr std::uint64_t kFirstEvent = 4;  // the offset of the first event of a file
constexpr int kSlaveCapability = 4;       // GTID events come as they are
constexpr unsigned long kPacketError = ~0UL;
constexpr std::size_t kPositionsOfFile = 40;  // bits of an offset in a transaction's number

struct LoggedTable {
  std::size_t table = 0;
  bool is_followed = false;
  std::vector<MyLogColumn> columns;  // those that the log has
  std::unique_ptr<BinlogRowDecoder> old_rows;
  std::unique_ptr<BinlogRowDecoder> new_rows;
};

// "000012" as 12.
std::optional<std::uint64_t> padded_number(std::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return parse_uint64(digits);
}

class MyChanges final : public ChangeStream {
 public:
  MyChanges(SourceUrl url, FollowOptions options, MyConnection sql)
      : url_(std::move(url)), options_(std::move(options)), sql_(std::move(sql)) {}
  ~MyChanges() override { close_wire(); }
  MyChanges(const MyChanges&) = delete;
  MyChanges& operator=(const MyChanges&) = delete;

  Result<void> learn() {
    for (const auto& name : options_.tables) {
      HEARTH_TRY(auto table, describe_my_table(sql_, name));
      tables_.push_back(std::move(table));
    }
    is_altered_.assign(tables_.size(), true);
    return {};
  }
  Result<std::vector<std::string>> missing() override { return missing_for_my_follow(sql_); }
  [[nodiscard]] const TableShape& shape(std::size_t table) const override {
    return tables_[table].shape;
  }
  Result<FollowStart> begin_anew() override;
  Result<void> check(LogPosition position) override;
  Result<void> start(LogPosition position) override;
  Result<const Change*> next(milliseconds wait) override;
  Result<void> confirm(LogPosition) override { return {}; }
  Result<bool> is_visible(std::uint64_t transaction) override;
  Result<void> drop() override { return {}; }
  [[nodiscard]] std::uint64_t lag_bytes(LogPosition position) const override {
    const bool is_ahead = at_.file == position.file && at_.offset > position.offset;
    return is_ahead ? at_.offset - position.offset : 0;
  }
  [[nodiscard]] std::string position_text(LogPosition position) const override {
    return fmt::format("{}.{:06}:{}", base_, position.file, position.offset);
  }
  Result<LogPosition> parse_position(const std::string& text) const override;
  Result<std::string> identity() override;

 private:
  void close_wire();
  [[nodiscard]] bool has_buffered_bytes() const;
  Result<std::optional<std::string_view>> read_packet(milliseconds wait);
  unexpected<Error> wire_failure() const;
  Result<LogPosition> snapshot_position();
  Result<LogPosition> file_position(std::string_view file, std::uint64_t offset);
  Result<bool> take_event();
  Result<bool> take_query();
  Result<bool> take_table_map();
  Result<bool> begin_rows();
  Result<bool> take_image();
  Result<bool> describe(LoggedTable& logged, std::size_t index);
  bool commit();
  [[nodiscard]] std::optional<std::size_t> followed(std::string_view schema,
                                                    std::string_view name) const;
  void fill_row(const LoggedTable& logged, Row values, RowImage& image) const;

  SourceUrl url_;
  FollowOptions options_;
  MyConnection sql_;
  std::optional<MyConnection> wire_;
  MARIADB_RPL* rpl_ = nullptr;
  std::vector<MyTable> tables_;
  std::vector<bool> is_altered_;                 // by table: the catalogue is to be asked again
  std::map<std::uint64_t, LoggedTable> logged_;  // by the number of a TABLE_MAP
  std::string base_;                             // of the names of files
  bool has_checksum_ = false;
  BinlogEvent event_;
  Change change_;
  LogPosition at_;              // behind the last event
  LogPosition seen_;            // what other sessions are known to see
  bool is_standalone_ = false;  // the next statement is a transaction
  bool in_transaction_ = false;
  bool ends_behind_ = false;        // the commit of the change at hand follows
  LoggedTable* rows_of_ = nullptr;  // while images are left
  std::string_view images_;
};

// ---- positions ----

Result<LogPosition> MyChanges::file_position(std::string_view file, std::uint64_t offset) {
  const auto dot = file.rfind('.');
  const auto number =
      dot == std::string_view::npos ? std::nullopt : padded_number(file.substr(dot + 1));
  if (!number) return fail(ErrorCode::kCorrupt, fmt::format("the server names its log '{}'", file));
  base_ = file.substr(0, dot);
  return LogPosition{*number, offset};
}

Result<LogPosition> MyChanges::parse_position(const std::string& text) const {
  const auto colon = text.rfind(':');
  const auto dot = text.rfind('.', colon);
  if (colon != std::string::npos && dot != std::string::npos) {
    const auto file = padded_number(std::string_view(text).substr(dot + 1, colon - dot - 1));
    const auto offset = parse_uint64(std::string_view(text).substr(colon + 1));
    if (file && offset) return LogPosition{*file, *offset};
  }
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is no position of the binary log", text));
}

// The exact position of a snapshot that begins now; a position that is asked for beside it may
// include a commit that the snapshot does not show yet.
Result<LogPosition> MyChanges::snapshot_position() {
  HEARTH_TRY_VOID(sql_.run("START TRANSACTION WITH CONSISTENT SNAPSHOT"));
  auto rows = sql_.run("SHOW STATUS LIKE 'binlog_snapshot%'");
  HEARTH_TRY_VOID(sql_.run("ROLLBACK"));
  if (!rows) return unexpected<Error>(rows.error());
  std::string file;
  std::uint64_t offset = 0;
  for (const auto& row : *rows) {
    if (row.size() < 2) continue;
    if (equals_ignore_case(row[0].value_or(""), "binlog_snapshot_file")) file = row[1].value_or("");
    if (equals_ignore_case(row[0].value_or(""), "binlog_snapshot_position"))
      offset = parse_uint64(row[1].value_or("")).value_or(0);
  }
  if (file.empty())
    return fail(ErrorCode::kUnsupported, "MariaDB does not tell the position of a snapshot");
  return file_position(file, offset);
}

Result<FollowStart> MyChanges::begin_anew() {
  FollowStart start;
  if (sql_.is_mariadb()) {
    HEARTH_TRY(start.position, snapshot_position());
    return start;
  }
  auto end = settled_end_of_my_log(sql_, options_.tables);
  if (!end) {
    // A file begins when every change in the files before it is visible.
    start.note = fmt::format(
        "changes are taken from the beginning of the log's file on, some of them once more: the "
        "tables could not be locked for a moment ({})",
        end.error().context);
    HEARTH_TRY(end, end_of_my_log(sql_));
    end->offset = kFirstEvent;
  }
  HEARTH_TRY(start.position, file_position(end->file, end->offset));
  return start;
}

Result<std::string> MyChanges::identity() {
  HEARTH_TRY(
      const auto rows,
      sql_.run(sql_.is_mariadb() ? "SELECT CONCAT_WS('/', 'mariadb', @@hostname, @@port, "
                                   "@@global.server_id, DATABASE())"
                                 : "SELECT CONCAT_WS('/', 'mysql', @@server_uuid, DATABASE())"));
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0].value_or("");
}

Result<void> MyChanges::check(LogPosition position) {
  HEARTH_TRY(const auto rows, sql_.run("SHOW BINARY LOGS"));
  std::uint64_t last = 0;
  for (const auto& row : rows) {
    if (row.size() < 2) continue;
    HEARTH_TRY(const LogPosition file, file_position(row[0].value_or(""), 0));
    last = file.file;
    const auto size = parse_uint64(row[1].value_or(""));
    if (file.file == position.file && size && *size >= position.offset) return {};
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("the binary log does not have {} any more (its last file is number {}): "
                          "it was purged or reset",
                          position_text(position), last));
}

Result<bool> MyChanges::is_visible(std::uint64_t transaction) {
  if (!sql_.is_mariadb()) return true;  // the read waits for it
  const LogPosition wanted{transaction >> kPositionsOfFile,
                           transaction & ((std::uint64_t{1} << kPositionsOfFile) - 1)};
  if (wanted <= seen_) return true;
  HEARTH_TRY(seen_, snapshot_position());
  return wanted <= seen_;
}

// ---- the connection ----

void MyChanges::close_wire() {
  if (rpl_ != nullptr) mariadb_rpl_close(rpl_);
  rpl_ = nullptr;
  wire_.reset();
}

unexpected<Error> MyChanges::wire_failure() const {
  constexpr unsigned kLogIsGone = 1236;
  const unsigned code = mysql_errno(wire_->get());
  return fail(code == kLogIsGone ? ErrorCode::kNotFound : ErrorCode::kIo,
              fmt::format("the binary log: {}",
                          code == 0 ? "the connection is lost" : mysql_error(wire_->get())));
}

Result<void> MyChanges::start(LogPosition position) {
  HEARTH_TRY_VOID(check(position));
  close_wire();
  HEARTH_TRY(auto wire, MyConnection::open(url_, options_.source));
  HEARTH_TRY_VOID(wire.run(kChecksum));
  HEARTH_TRY_VOID(wire.run(fmt::format("SET @mariadb_slave_capability = {}", kSlaveCapability)));
  HEARTH_TRY_VOID(wire.run(kHeartbeat));
  HEARTH_TRY(const auto checksum, wire.run("SELECT @@global.binlog_checksum"));
  has_checksum_ = !checksum.empty() && checksum[0][0].value_or("NONE") != "NONE";
  wire_ = std::move(wire);
  rpl_ = mariadb_rpl_init(wire_->get());
  if (rpl_ == nullptr) return fail(ErrorCode::kIo, "the binary log: out of memory");
  const std::string file = fmt::format("{}.{:06}", base_, position.file);
  mariadb_rpl_optionsv(rpl_, MARIADB_RPL_FILENAME, file.c_str(), file.size());
  mariadb_rpl_optionsv(rpl_, MARIADB_RPL_START, static_cast<unsigned long>(position.offset));
  mariadb_rpl_optionsv(rpl_, MARIADB_RPL_SERVER_ID, options_.replica_id);
  mariadb_rpl_optionsv(rpl_, MARIADB_RPL_FLAGS, 0);
  if (mariadb_rpl_open(rpl_) != 0) return wire_failure();
  at_ = position;
  return {};
}

bool MyChanges::has_buffered_bytes() const {
  const MARIADB_PVIO* io = wire_->get()->net.pvio;
  return io != nullptr && io->cache != nullptr && io->cache_pos < io->cache + io->cache_size;
}

// The library's own reader of events is not used: it takes their lengths on trust.
Result<std::optional<std::string_view>> MyChanges::read_packet(milliseconds wait) {
  MYSQL* const my = wire_->get();
  if (options_.source.interrupt != nullptr && options_.source.interrupt->load())
    return fail(ErrorCode::kBusy, "interrupted");
  if (!has_buffered_bytes()) {
    pollfd polled{static_cast<int>(mysql_get_socket(my)), POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(wait.count())) <= 0)
      return std::optional<std::string_view>{};
  }
  const unsigned long size = mysql_net_read_packet(my);
  if (size == kPacketError) return wire_failure();
  const auto* const bytes = reinterpret_cast<const char*>(my->net.read_pos);
  if (size == 0 || static_cast<unsigned char>(bytes[0]) == 0xfe)
    return fail(ErrorCode::kIo, "the binary log: the server ended it");
  if (bytes[0] != 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the binary log: a packet of another kind ({:#04x}, {} bytes)",
                            static_cast<unsigned char>(bytes[0]), size));
  }
  return std::optional(std::string_view(bytes + 1, size - 1));
}

// ---- events ----

Result<const Change*> MyChanges::next(milliseconds wait) {
  for (;;) {
    if (rows_of_ != nullptr) {
      HEARTH_TRY(const bool has_row, take_image());
      if (has_row) return &change_;
    }
    if (std::exchange(ends_behind_, false)) return commit(), &change_;
    HEARTH_TRY(const auto packet, read_packet(wait));
    if (!packet) return nullptr;
    HEARTH_TRY_VOID(parse_binlog_event(*packet, has_checksum_, event_));
    HEARTH_TRY(const bool is_change, take_event());
    if (is_change) return &change_;
    wait = milliseconds{0};
  }
}

Result<bool> MyChanges::take_event() {
  if (event_.kind == BinlogKind::kRotate) {
    HEARTH_TRY(at_, file_position(event_.name, event_.position));
    logged_.clear();
    return false;
  }
  // Events that the server makes up have no place in the file.
  const bool has_place = event_.next_position > at_.offset;
  if (has_place) at_.offset = event_.next_position;
  change_.committed = UnixMillis{static_cast<std::int64_t>(event_.time) * 1000};
  switch (event_.kind) {
    case BinlogKind::kBegin:
      is_standalone_ = event_.is_standalone;
      in_transaction_ = !is_standalone_;
      return false;
    case BinlogKind::kCommit: return commit();
    case BinlogKind::kQuery: return take_query();
    case BinlogKind::kTableMap: return take_table_map();
    case BinlogKind::kInsert:
    case BinlogKind::kUpdate:
    case BinlogKind::kDelete: return begin_rows();
    // The log may end with an event of the server's own, such as a checkpoint: nothing is left to
    // take then, and the position says so.
    default: return has_place && !in_transaction_ && !is_standalone_ && commit();
  }
}

bool MyChanges::commit() {
  in_transaction_ = false;
  is_standalone_ = false;
  change_.kind = ChangeKind::kCommit;
  change_.position = at_;
  return true;
}

std::optional<std::size_t> MyChanges::followed(std::string_view schema,
                                               std::string_view name) const {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].schema == schema && tables_[i].name == name) return i;
  }
  return std::nullopt;
}

Result<bool> MyChanges::take_query() {
  const std::string word = first_sql_word(event_.text);
  if (word == "BEGIN") {
    in_transaction_ = true;
    return false;
  }
  if (word == "COMMIT" || word == "ROLLBACK" || word == "XA") return commit();
  if (word == "SAVEPOINT" || word == "RELEASE") return false;
  if (word == "INSERT" || word == "UPDATE" || word == "DELETE" || word == "REPLACE" ||
      word == "LOAD") {
    for (const auto& table : tables_) {
      if (event_.text.find(table.name) == std::string_view::npos) continue;
      return fail(ErrorCode::kNotFound,
                  fmt::format("a change that may be of table '{}' was logged as a statement: "
                              "binlog_format must be ROW in every session",
                              table.shape.name));
    }
    return in_transaction_ ? false : commit();
  }
  const auto truncated = truncated_my_table(event_.text, event_.name);
  if (!truncated) {
    is_altered_.assign(tables_.size(), true);
    return in_transaction_ ? false : commit();
  }
  const auto table = followed(truncated->schema, truncated->name);
  if (!table) return commit();
  ends_behind_ = true;  // a statement like this is a transaction
  change_.kind = ChangeKind::kTruncate;
  change_.table = *table;
  change_.old_row.exists = false;
  change_.new_row.exists = false;
  return true;
}

Result<bool> MyChanges::take_table_map() {
  LoggedTable& logged = logged_[event_.map.table_id];
  const auto table = followed(event_.map.schema, event_.map.table);
  const bool is_known = logged.new_rows != nullptr;
  if (!table) {
    logged = LoggedTable{};
    return false;
  }
  if (is_known && !is_altered_[*table]) return false;
  return describe(logged, *table);
}

// Pairs the columns of the log with those of the catalogue. Where they do not meet, the table was
// altered between the change and now.
Result<bool> MyChanges::describe(LoggedTable& logged, std::size_t index) {
  MyTable& table = tables_[index];
  if (is_altered_[index]) {
    HEARTH_TRY(table, describe_my_table(sql_, table.shape.name));
    is_altered_[index] = false;
  }
  logged = LoggedTable{};
  logged.table = index;
  logged.is_followed = true;
  const auto& stored = event_.map.columns;
  for (const auto& column : table.columns) {
    if (!column.is_virtual || stored.size() == table.columns.size())
      logged.columns.push_back(column);
  }
  bool has_drifted = logged.columns.size() != stored.size();
  std::vector<BinlogValueForm> forms;
  for (std::size_t i = 0; i < stored.size() && !has_drifted; ++i) {
    const MyLogColumn& column = logged.columns[i];
    const bool can_read = is_readable(stored[i], column.form);
    forms.push_back(column.form);
    if (column.cell) table.shape.readable[*column.cell] = can_read ? 1 : 0;
    // A number where the catalogue has a text, for example.
    const bool is_other = !can_read && column.form.cell != CellType::kNull &&
                          stored[i].type < kBlobCompressedColumn && stored[i].type != 7 &&
                          stored[i].type != 11 && stored[i].type != 12;
    has_drifted = is_other;
  }
  if (has_drifted) {
    return fail(ErrorCode::kNotFound,
                fmt::format("table '{}' was altered after a change that is still to be taken",
                            table.shape.name));
  }
  logged.old_rows = std::make_unique<BinlogRowDecoder>(stored, forms);
  logged.new_rows = std::make_unique<BinlogRowDecoder>(stored, std::move(forms));
  change_.kind = ChangeKind::kShape;
  change_.table = index;
  return true;
}

Result<bool> MyChanges::begin_rows() {
  const auto found = logged_.find(event_.rows.table_id);
  if (found == logged_.end())
    return fail(ErrorCode::kCorrupt, "the server sent a row before the description of its table");
  if (!found->second.is_followed) return false;
  const MyTable& table = tables_[found->second.table];
  if (!event_.rows.is_full) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the log leaves columns of table '{}' out: binlog_row_image must be "
                            "FULL in every session",
                            table.shape.name));
  }
  if (event_.rows.columns != found->second.columns.size())
    return fail(ErrorCode::kCorrupt,
                fmt::format("the server sent a row of {} columns of table '{}', which has {}",
                            event_.rows.columns, table.shape.name, found->second.columns.size()));
  rows_of_ = &found->second;
  images_ = event_.rows.images;
  return take_image();
}

Result<bool> MyChanges::take_image() {
  LoggedTable& logged = *rows_of_;
  if (images_.empty()) {
    rows_of_ = nullptr;
    return false;
  }
  change_.kind = event_.kind == BinlogKind::kInsert   ? ChangeKind::kInsert
                 : event_.kind == BinlogKind::kUpdate ? ChangeKind::kUpdate
                                                      : ChangeKind::kDelete;
  change_.table = logged.table;
  change_.transaction = at_.file << kPositionsOfFile | at_.offset;
  change_.old_row.exists = change_.kind != ChangeKind::kInsert;
  change_.new_row.exists = change_.kind != ChangeKind::kDelete;
  if (change_.old_row.exists) {
    HEARTH_TRY(const Row values, logged.old_rows->take_image(images_));
    fill_row(logged, values, change_.old_row);
  }
  if (change_.new_row.exists) {
    HEARTH_TRY(const Row values, logged.new_rows->take_image(images_));
    fill_row(logged, values, change_.new_row);
  }
  return true;
}

void MyChanges::fill_row(const LoggedTable& logged, Row values, RowImage& image) const {
  const TableShape& shape = tables_[logged.table].shape;
  image.cells.assign(shape.columns.size(), Cell{});
  image.known.assign(shape.columns.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto cell = logged.columns[i].cell;
    if (!cell || shape.readable[*cell] == 0) continue;
    image.cells[*cell] = values[i];
    image.known[*cell] = 1;
  }
}

}  // namespace

Result<std::unique_ptr<ChangeStream>> open_mysql_changes(const SourceUrl& url,
                                                         const FollowOptions& options) {
  HEARTH_TRY(auto sql, MyConnection::open(url, options.source));
  auto changes = std::make_unique<MyChanges>(url, options, std::move(sql));
  HEARTH_TRY_VOID(changes->learn());
  return std::unique_ptr<ChangeStream>(std::move(changes));
}

}  // namespace hearth::warm
