// The rows of one prepared statement, as they stream in.
#pragma once

#include <mysql.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/warm_source/mysql_connection.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

// A prepared query and what its columns are.
class MyStatement {
 public:
  // Errors: kInvalid, kIo.
  static Result<MyStatement> prepare(MyConnection& connection, const std::string& sql);
  Result<void> execute();

  struct Field {
    enum_field_types type = MYSQL_TYPE_NULL;
    CellType cell = CellType::kNull;
    bool is_unsigned = false;
    bool has_zero_fill = false;
  };
  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] MYSQL_STMT* get() const { return statement_.get(); }

 private:
  struct Close {
    void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
  };
  void read_fields(MYSQL_RES* metadata);
  std::unique_ptr<MYSQL_STMT, Close> statement_;
  std::vector<Column> columns_;
  std::vector<Field> fields_;
};

class MyStream final : public RowStream {
 public:
  // `stop` ends the statement on the server, which a stream that is left early needs: the library
  // reads what is left otherwise.
  static Result<std::unique_ptr<RowStream>> start(MyStatement statement, std::function<void()> stop,
                                                  const std::atomic<bool>* interrupt);
  ~MyStream() override;
  MyStream(const MyStream&) = delete;
  MyStream& operator=(const MyStream&) = delete;

  [[nodiscard]] const std::vector<Column>& columns() const override { return statement_.columns(); }
  Result<std::optional<Row>> next() override;

 private:
  // Where the library puts a value.
  struct Slot {
    std::int64_t integer = 0;
    double real = 0;
    float single = 0;
    MYSQL_TIME time{};
    std::vector<char> bytes;
    unsigned long size = 0;
    my_bool is_null = 0;
    my_bool is_cut = 0;
  };
  explicit MyStream(MyStatement statement) : statement_(std::move(statement)) {}
  Result<void> bind();
  Result<void> fetch_long_values();
  void read_cell(std::size_t index);

  MyStatement statement_;
  std::function<void()> stop_;
  const std::atomic<bool>* interrupt_ = nullptr;
  std::vector<MYSQL_BIND> binds_;
  std::vector<Slot> slots_;
  std::vector<Cell> cells_;
  bool has_large_slots_ = false;
  bool is_done_ = false;
};

}  // namespace hearth::warm
