def test_the_page(real_database, demonstrated, client):
    for q in ("", "?by=month(date)", "?by=departments&departments=Legal", "?amount[gte]=x&foo=1", "?departments=Nope", "?sort=-amount&limit=5"):
        r = client.get("/expenses" + q)
        print(q, r.status_code, len(r.text))
        open("/tmp/q/exp.html","w").write(r.text)
    r = client.get("/expanses_data?amount[gte]=1400&member_name=Sam")
    print(r.status_code, r.location)
    print(client.get("/expenses.csv?format=csv&departments=Legal", headers={"Accept":"text/html"}).text[:300])
    print(client.get("/expenses.csv?format=csv&by=departments").text[:300])
