// sample-db FILE [ROWS]: writes the sample database, a table of products with a JSON document
// each. The same rows for the same count, on every machine: everything follows from the row number.
#include <fmt/core.h>
#include <sqlite3.h>

#include <array>
#include <cstdio>
#include <string>

#include "src/base/parse_number.h"
#include "src/base/random.h"
#include "src/base/result.h"

namespace {

using namespace hearth;

constexpr std::uint64_t kDefaultRows = 200'000;
constexpr std::uint64_t kRowsMax = 100'000'000;

constexpr const char* kSchema =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
    "CREATE TABLE products ("
    " id INTEGER PRIMARY KEY, sku TEXT NOT NULL, name TEXT NOT NULL, category TEXT NOT NULL,"
    " price_cents INTEGER NOT NULL, stock INTEGER NOT NULL, rating REAL, updated_at TEXT NOT NULL,"
    " details JSON NOT NULL)";

using Words = std::array<const char*, 8>;
constexpr Words kAdjectives{"Quiet", "Bright", "Solid", "Swift", "Gentle", "Bold", "Warm", "Crisp"};
constexpr Words kMaterials{"Oak", "Steel", "Linen", "Copper", "Wool", "Glass", "Cork", "Clay"};
constexpr Words kThings{"Lamp", "Chair", "Kettle", "Blanket", "Mug", "Shelf", "Clock", "Basket"};
constexpr Words kCategories{"lighting",  "furniture", "kitchen", "textiles",
                            "tableware", "storage",   "decor",   "garden"};
constexpr Words kColours{"red", "blue", "green", "black", "white", "grey", "sand", "café"};

struct Product {
  std::int64_t id;
  std::string sku, name, category, updated_at, details;
  std::int64_t price_cents, stock;
  double rating;
  bool has_rating;
};

Product product(std::int64_t id) {
  Rng rng(static_cast<std::uint64_t>(id));
  const auto pick = [&](const Words& words) { return words[rng.below(words.size())]; };
  Product p;
  p.id = id;
  p.sku = fmt::format("{:02X}-{:06}", rng.below(256), id);
  const auto thing = rng.below(kThings.size());
  p.name = fmt::format("{} {} {}", pick(kAdjectives), pick(kMaterials), kThings[thing]);
  p.category = kCategories[thing];
  p.price_cents = static_cast<std::int64_t>(199 + rng.below(50'000));
  p.stock = static_cast<std::int64_t>(rng.below(500));
  p.has_rating = rng.chance(0.9);  // a new product has none yet
  p.rating = static_cast<double>(10 + rng.below(41)) / 10;
  p.updated_at = fmt::format("2024-{:02}-{:02}T{:02}:{:02}:{:02}Z", 1 + rng.below(12),
                             1 + rng.below(28), rng.below(24), rng.below(60), rng.below(60));
  p.details = fmt::format(
      R"({{"colour":"{}","weight_g":{},"size_mm":[{},{},{}],"tags":["{}","{}"],"fragile":{}}})",
      pick(kColours), 50 + rng.below(9'000), 20 + rng.below(900), 20 + rng.below(900),
      20 + rng.below(900), pick(kColours), p.category, rng.chance(0.3) ? "true" : "false");
  return p;
}

unexpected<Error> sqlite_error(sqlite3* db, const char* what) {
  return fail(ErrorCode::kIo, fmt::format("{}: {}", what, sqlite3_errmsg(db)));
}

Result<void> insert_rows(sqlite3* db, std::uint64_t rows) {
  sqlite3_stmt* insert = nullptr;
  if (sqlite3_prepare_v2(db, "INSERT INTO products VALUES (?,?,?,?,?,?,?,?,?)", -1, &insert,
                         nullptr) != SQLITE_OK) {
    return sqlite_error(db, "prepare");
  }
  const auto bind = [&](int at, const std::string& text) {
    sqlite3_bind_text(insert, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  };
  bool good = true;
  for (std::uint64_t i = 1; good && i <= rows; ++i) {
    const Product p = product(static_cast<std::int64_t>(i));
    sqlite3_bind_int64(insert, 1, p.id);
    bind(2, p.sku);
    bind(3, p.name);
    bind(4, p.category);
    sqlite3_bind_int64(insert, 5, p.price_cents);
    sqlite3_bind_int64(insert, 6, p.stock);
    if (p.has_rating) {
      sqlite3_bind_double(insert, 7, p.rating);
    } else {
      sqlite3_bind_null(insert, 7);
    }
    bind(8, p.updated_at);
    bind(9, p.details);
    good = sqlite3_step(insert) == SQLITE_DONE && sqlite3_reset(insert) == SQLITE_OK;
  }
  sqlite3_finalize(insert);
  if (!good) return sqlite_error(db, "insert");
  return {};
}

Result<void> write_database(const std::string& path, std::uint64_t rows) {
  sqlite3* db = nullptr;
  const auto build = [&]() -> Result<void> {
    if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) return sqlite_error(db, path.c_str());
    if (sqlite3_exec(db, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK)
      return sqlite_error(db, "create table");
    HEARTH_TRY_VOID(insert_rows(db, rows));
    if (sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK)
      return sqlite_error(db, "commit");
    return {};
  };
  auto result = build();
  sqlite3_close(db);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const auto rows = argc == 3 ? parse_uint64(argv[2]) : std::optional(kDefaultRows);
  if (argc < 2 || argc > 3 || !rows || *rows > kRowsMax) {
    fmt::print(stderr, "usage: sample-db FILE [ROWS]   (default {} rows)\n", kDefaultRows);
    return 2;
  }
  // A name of its own until it is complete: what carries the final name is whole.
  const std::string path = argv[1];
  const std::string unfinished = path + ".unfinished";
  std::remove(unfinished.c_str());
  if (auto written = write_database(unfinished, *rows); !written) {
    fmt::print(stderr, "sample-db: {}\n", written.error().context);
    return 1;
  }
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) {
    std::perror(path.c_str());
    return 1;
  }
  return 0;
}
