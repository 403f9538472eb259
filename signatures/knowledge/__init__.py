"""What signatures know beforehand: services, middleboxes and block pages, read from `signatures/data`."""
