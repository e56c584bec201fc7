module example.com/hearth/words

go 1.19
